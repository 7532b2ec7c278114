// How much memory malloc has given out: Swift's Glibc does not have mallinfo2.
#pragma once
#include <malloc.h>
#include <stddef.h>

/// Bytes that malloc has given out in all arenas and in mappings of their own, and not got back.
static inline size_t memory_use_allocated_bytes(void) {
  struct mallinfo2 information = mallinfo2();
  return information.uordblks + information.hblkhd;
}
