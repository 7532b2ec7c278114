// OpenSSL's random numbers, made from a seed: the same input is the same handshake, byte for byte.
#ifndef CFUZZRANDOM_H
#define CFUZZRANDOM_H
#include <stddef.h>
#include <stdint.h>

/// From here on the whole process draws what follows from `seed`.
void nvmeof_fuzz_seed(uint64_t seed);

/// Bytes on the heap, as the address sanitizer counts them.
size_t nvmeof_fuzz_allocated_bytes(void);

#endif
