// Counts the allocations of a thread: malloc, calloc and realloc of the test program are glibc's own, counted.
#ifndef CIRRUS_CALLOCATIONS_H
#define CIRRUS_CALLOCATIONS_H

/// Allocations this thread has made so far.
unsigned long callocations_count(void);
#endif
