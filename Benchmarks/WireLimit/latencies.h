// Time by the cycle counter, one reading a batch, turned into nanoseconds at the end; and a histogram of it.

#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double ticks_per_nanosecond;

static void calibrate(void) {
  uint64_t start = nanoseconds(), first = ticks(), end;
  do end = nanoseconds(); while (end - start < 20000000);
  ticks_per_nanosecond = (double)(ticks() - first) / (double)(end - start);
}

// Latency by ticks, 32 buckets an octave: 3 % resolution.
enum { BUCKET_BITS = 5, BUCKET_COUNT = (64 - BUCKET_BITS + 1) << BUCKET_BITS };
static uint64_t histogram[BUCKET_COUNT];

static inline unsigned bucket(uint64_t value) {
  if (value < (1u << BUCKET_BITS)) return (unsigned)value;
  unsigned shift = 63 - BUCKET_BITS - (unsigned)__builtin_clzll(value);
  return ((shift + 1) << BUCKET_BITS) + (unsigned)((value >> shift) & ((1u << BUCKET_BITS) - 1));
}

static double bucket_ticks(unsigned index) {
  unsigned octave = index >> BUCKET_BITS, rest = index & ((1u << BUCKET_BITS) - 1);
  if (octave == 0) return rest;
  return ((double)((1u << BUCKET_BITS) + rest) + 0.5) * (double)(1ull << (octave - 1));
}

static double percentile_microseconds(double share) {
  uint64_t total = 0, seen = 0;
  for (unsigned i = 0; i < BUCKET_COUNT; i++) total += histogram[i];
  if (total == 0) return 0;
  uint64_t wanted = (uint64_t)(share * (double)total);
  for (unsigned i = 0; i < BUCKET_COUNT; i++) {
    seen += histogram[i];
    if (seen > wanted) return bucket_ticks(i) / ticks_per_nanosecond / 1000;
  }
  return 0;
}
