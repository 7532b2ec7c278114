#define _GNU_SOURCE
#include "AllocationCounter.h"

#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// glibc's own names of the functions that are interposed here.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { CALLER_CAPACITY = 24 };

struct window {
  int is_open;
  int caller_count;
  struct allocation_counts counts;
  void *callers[CALLER_CAPACITY];
};

// initial-exec: access to it must never allocate.
static __thread struct window window __attribute__((tls_model("initial-exec")));

static void count_allocation(void *memory) {
  if (!window.is_open || !memory) return;
  window.counts.allocations++;
  window.counts.allocated_bytes += malloc_usable_size(memory);
  if (window.caller_count == 0) {
    window.is_open = 0;  // what backtrace() itself does is not to be counted
    window.caller_count = backtrace(window.callers, CALLER_CAPACITY);
    window.is_open = 1;
  }
}

static void count_free(void *memory) {
  if (!window.is_open || !memory) return;
  window.counts.frees++;
  window.counts.freed_bytes += malloc_usable_size(memory);
}

void allocation_counter_begin(void) {
  void *unused[2];
  backtrace(unused, 2);  // loads its library at its first call
  memset(&window, 0, sizeof window);
  window.is_open = 1;
}

struct allocation_counts allocation_counter_end(void) {
  window.is_open = 0;
  return window.counts;
}

void allocation_counter_print_first_callers(void) {
  fflush(stdout);
  backtrace_symbols_fd(window.callers, window.caller_count, STDOUT_FILENO);
}

void allocation_counter_line_buffering(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

void *malloc(size_t size) {
  void *memory = __libc_malloc(size);
  count_allocation(memory);
  return memory;
}

void *calloc(size_t count, size_t size) {
  void *memory = __libc_calloc(count, size);
  count_allocation(memory);
  return memory;
}

void *realloc(void *old, size_t size) {
  count_free(old);
  void *memory = __libc_realloc(old, size);
  count_allocation(memory);
  return memory;
}

void *memalign(size_t alignment, size_t size) {
  void *memory = __libc_memalign(alignment, size);
  count_allocation(memory);
  return memory;
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void *memory) {
  count_free(memory);
  __libc_free(memory);
}

void *allocation_counter_library_malloc(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  if (window.is_open) window.counts.library_allocations++;
  return __libc_malloc(size);
}

void *allocation_counter_library_realloc(void *old, size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  if (window.is_open) window.counts.library_allocations++;
  return __libc_realloc(old, size);
}

void allocation_counter_library_free(void *memory, const char *file, int line) {
  (void)file;
  (void)line;
  __libc_free(memory);
}
