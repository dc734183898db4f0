// Linux calls that Swift's Glibc module does not show.
#ifndef CIRRUS_CLINUX_H
#define CIRRUS_CLINUX_H
#include <stdint.h>

/// fallocate(FALLOC_FL_KEEP_SIZE) of `length` bytes from the start; 0, or -1 with errno.
int clinux_reserve(int descriptor, int64_t length);
/// renameat2(RENAME_NOREPLACE); 0, or -1 with errno.
int clinux_rename_exclusively(const char *from, const char *to);
/// Whether the file system of `path` is in memory (tmpfs, ramfs); no for one that cannot be asked.
int clinux_is_in_memory(const char *path);
/// Few arenas and early trimming, so that freed memory goes back to the system (design.md §5).
void clinux_tune_malloc(void);
/// Gives back the resident pages of the program and its libraries that are as in their files. What is used again comes
/// back from the page cache, 16 pages a fault.
void clinux_release_program_pages(void);
/// The command line's word `index`, 0 the program's own; NULL past the last.
const char *clinux_argument(int index);
/// The environment's text `index`, `NAME=value`; NULL past the last. To be asked in order.
const char *clinux_variable(int index);
/// Starts this program anew with `words` (the last is NULL), no environment but LD_LIBRARY_PATH and no standard output,
/// in a process group of its own. It is killed when the calling thread ends: call it on one that lives as long as the
/// process. Its pid, or -1 with errno.
int clinux_start_self(const char *const words[]);
/// Whether anything that was written to standard output was lost.
int clinux_output_failed(void);
/// How a child ended, which is not reaped: its exit code, or 128 and the number of the signal; -1 while it runs.
int clinux_exit_status(int pid);
#endif
