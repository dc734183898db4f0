#include "cre2.h"

#include <cstdio>
#include <new>
#include <re2/re2.h>

struct cre2_pattern {
    re2::RE2 expression;
};

namespace {
re2::RE2::Options options(int64_t memory_limit) {
    re2::RE2::Options options;
    options.set_max_mem(memory_limit);
    options.set_log_errors(false);
    options.set_never_capture(true);
    return options;
}
}  // namespace

extern "C" cre2_pattern *cre2_compile(
    const char *pattern, size_t n, int64_t memory_limit, char *reason, size_t reason_size) {
    auto *made = new (std::nothrow)
        cre2_pattern{re2::RE2(re2::StringPiece(pattern, n), options(memory_limit))};
    if (made != nullptr && made->expression.ok()) return made;
    std::snprintf(reason, reason_size, "%s", made != nullptr ? made->expression.error().c_str() : "out of memory");
    delete made;
    return nullptr;
}

extern "C" int cre2_matches(const cre2_pattern *pattern, const void *text, size_t n) {
    re2::StringPiece piece(static_cast<const char *>(text), n);
    return pattern->expression.Match(piece, 0, n, re2::RE2::UNANCHORED, nullptr, 0);
}

extern "C" void cre2_free(cre2_pattern *pattern) { delete pattern; }
