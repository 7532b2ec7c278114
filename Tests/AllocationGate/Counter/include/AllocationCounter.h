#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H
#include <stddef.h>
#include <stdint.h>

// Counts what the calling thread allocates between begin and end. The allocator's functions are interposed by this
// target; outside of a window, and on other threads, they only forward.

struct allocation_counts {
  uint64_t allocations;
  uint64_t frees;
  uint64_t allocated_bytes;  // usable sizes, as the allocator rounded them
  uint64_t freed_bytes;
  uint64_t library_allocations;  // of OpenSSL, by the functions below: in none of the others
};

// For OpenSSL's CRYPTO_set_mem_functions: what it allocates for itself is counted apart.
void *allocation_counter_library_malloc(size_t size, const char *file, int line);
void *allocation_counter_library_realloc(void *old, size_t size, const char *file, int line);
void allocation_counter_library_free(void *memory, const char *file, int line);

void allocation_counter_begin(void);
struct allocation_counts allocation_counter_end(void);

// Prints who made the window's first allocation, innermost first: offsets within binaries, for addr2line.
void allocation_counter_print_first_callers(void);

// Lines appear as they are printed, also in a pipe.
void allocation_counter_line_buffering(void);

#endif
