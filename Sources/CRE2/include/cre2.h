// RE2 through C: compile, match, free.
#ifndef CIRRUS_CRE2_H
#define CIRRUS_CRE2_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cre2_pattern cre2_pattern;

/// Compiles n bytes of UTF-8, NULL when that cannot be: then `reason` holds why, NUL-terminated, cut at `reason_size`.
/// `memory_limit` bounds the program and the states that matching keeps, bytes. End with cre2_free.
cre2_pattern *cre2_compile(const char *pattern, size_t n, int64_t memory_limit, char *reason, size_t reason_size);
/// Whether the pattern stands anywhere in n bytes. Linear in n; from any thread at once.
int cre2_matches(const cre2_pattern *pattern, const void *text, size_t n);
void cre2_free(cre2_pattern *pattern);

#ifdef __cplusplus
}
#endif
#endif
