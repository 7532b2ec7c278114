// A table of functions is the old way, which needs no provider and no configuration.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "CFuzzRandom.h"
#include <openssl/rand.h>
#include <sanitizer/allocator_interface.h>

static uint64_t state;

// SplitMix64.
static uint64_t next(void) {
  uint64_t word = state += 0x9e3779b97f4a7c15;
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
  word = (word ^ word >> 27) * 0x94d049bb133111eb;
  return word ^ word >> 31;
}

static int draw(unsigned char *buffer, int count) {
  for (int index = 0; index < count; index++) buffer[index] = (unsigned char)next();
  return 1;
}

static int always(void) { return 1; }

static const RAND_METHOD method = {.bytes = draw, .pseudorand = draw, .status = always};

void nvmeof_fuzz_seed(uint64_t seed) {
  if (RAND_get_rand_method() != &method) RAND_set_rand_method(&method);
  state = seed;
}

size_t nvmeof_fuzz_allocated_bytes(void) { return __sanitizer_get_current_allocated_bytes(); }
