#include "CCRC32C.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#define NVMEOF_X86 1
#include <immintrin.h>
#elif defined(__aarch64__)
#define NVMEOF_ARM 1
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

// Reflected polynomial.
#define POLYNOMIAL 0x82F63B78u

// Inside this file a "register" is the CRC before the final inversion.
typedef uint32_t (*extend_function)(uint32_t, const void *, size_t);
typedef uint32_t (*copy_extend_function)(uint32_t, void *, const void *, size_t);

ALWAYS_INLINE uint64_t load64(const uint8_t *source) {
  uint64_t value;
  memcpy(&value, source, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

// MARK: - Portable

static uint32_t tables[8][256];
static atomic_int tables_state;  // 0: not made, 1: being made, 2: made

static void make_tables(void) {
  int expected = 0;
  if (atomic_compare_exchange_strong(&tables_state, &expected, 1)) {
    for (uint32_t byte = 0; byte < 256; byte++) {
      uint32_t value = byte;
      for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (value & 1 ? POLYNOMIAL : 0);
      tables[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++)
      for (uint32_t byte = 0; byte < 256; byte++)
        tables[slice][byte] = (tables[slice - 1][byte] >> 8) ^ tables[0][tables[slice - 1][byte] & 0xff];
    atomic_store_explicit(&tables_state, 2, memory_order_release);
    return;
  }
  // Another thread is filling 8 KiB: a few microseconds, once in the life of the process.
  while (atomic_load_explicit(&tables_state, memory_order_acquire) != 2) {
  }
}

uint32_t nvmeof_crc32c_extend_portable(uint32_t crc, const void *data, size_t length) {
  if (__builtin_expect(atomic_load_explicit(&tables_state, memory_order_acquire) != 2, 0)) make_tables();
  const uint8_t *next = data;
  uint32_t reg = ~crc;
  while (length >= 8) {
    uint64_t word = load64(next) ^ reg;
    reg = tables[7][word & 0xff] ^ tables[6][(word >> 8) & 0xff] ^ tables[5][(word >> 16) & 0xff] ^
          tables[4][(word >> 24) & 0xff] ^ tables[3][(word >> 32) & 0xff] ^ tables[2][(word >> 40) & 0xff] ^
          tables[1][(word >> 48) & 0xff] ^ tables[0][word >> 56];
    next += 8;
    length -= 8;
  }
  while (length-- > 0) reg = (reg >> 8) ^ tables[0][(reg ^ *next++) & 0xff];
  return ~reg;
}

uint32_t nvmeof_crc32c_copy_extend_portable(uint32_t crc, void *destination, const void *source, size_t length) {
  // Pieces that stay in the first-level cache between the copy and the digest.
  uint8_t *out = destination;
  const uint8_t *in = source;
  while (length > 0) {
    size_t piece = length < 4096 ? length : 4096;
    memcpy(out, in, piece);
    crc = nvmeof_crc32c_extend_portable(crc, in, piece);
    out += piece;
    in += piece;
    length -= piece;
  }
  return crc;
}

// MARK: - Three interleaved streams
//
// A CRC instruction has a latency of three cycles and a throughput of one, so three independent streams keep its unit
// busy. The streams are joined by multiplying the earlier registers by x^(8n), n being the bytes that follow them.

#if defined(NVMEOF_X86) || defined(NVMEOF_ARM)

#define LONG_STREAM 1360  // 3 × 1360 = 4080: one pass of it covers a 4 KiB block but for two words
#define MIDDLE_STREAM 336
#define SHORT_STREAM 80

#endif

#if defined(NVMEOF_X86)

#define SSE42 __attribute__((target("sse4.2,pclmul")))
#define AVX512 __attribute__((target("sse4.2,pclmul,avx512f,avx512bw,avx512vl,avx512dq,vpclmulqdq")))

ALWAYS_INLINE uint32_t load32(const uint8_t *source) {
  uint32_t value;
  memcpy(&value, source, sizeof value);
  return value;
}

// `constant` is x^(8n-33) mod P, reflected: the carry-less product of two reflected registers carries a factor x, and
// the crc32 instruction that reduces it a factor x^32.
SSE42 ALWAYS_INLINE uint64_t shifted_product(uint64_t reg, uint32_t constant) {
  __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)reg), _mm_cvtsi32_si128((int)constant), 0);
  return (uint64_t)_mm_cvtsi128_si64(product);
}

// `n` and the two constants are literals at each use, so each use is a loop of its own. `prefetches` fetches what the next
// pass will read: three streams that end within a page each are too short for the processor to see them coming.
SSE42 ALWAYS_INLINE uint64_t three_streams(uint64_t reg, uint8_t *out, const uint8_t *in, size_t n, uint32_t shift_n,
                                           uint32_t shift_2n, int copies, int prefetches) {
  uint64_t second = 0, third = 0;
  for (size_t at = 0; at < n; at += 8) {
    uint64_t a = load64(in + at), b = load64(in + n + at), c = load64(in + 2 * n + at);
    if (copies) {
      memcpy(out + at, &a, 8);
      memcpy(out + n + at, &b, 8);
      memcpy(out + 2 * n + at, &c, 8);
    }
    if (prefetches && at % 16 == 0) _mm_prefetch(in + 3 * (n + at), _MM_HINT_T0);
    reg = _mm_crc32_u64(reg, a);
    second = _mm_crc32_u64(second, b);
    third = _mm_crc32_u64(third, c);
  }
  return third ^ _mm_crc32_u64(0, shifted_product(reg, shift_2n) ^ shifted_product(second, shift_n));
}

SSE42 ALWAYS_INLINE uint64_t sse42_serial(uint64_t reg, uint8_t *out, const uint8_t *in, size_t length, int copies) {
  while (length >= 8) {
    uint64_t word = load64(in);
    if (copies) {
      memcpy(out, &word, 8);
      out += 8;
    }
    reg = _mm_crc32_u64(reg, word);
    in += 8;
    length -= 8;
  }
  if (length & 4) {
    uint32_t word = load32(in);
    if (copies) {
      memcpy(out, &word, 4);
      out += 4;
    }
    reg = _mm_crc32_u32((uint32_t)reg, word);
    in += 4;
  }
  for (length &= 3; length > 0; length--) {
    if (copies) *out++ = *in;
    reg = _mm_crc32_u8((uint32_t)reg, *in++);
  }
  return reg;
}

SSE42 ALWAYS_INLINE uint32_t sse42_digest(uint32_t crc, uint8_t *out, const uint8_t *in, size_t length, int copies) {
  uint64_t reg = ~crc;
#define STREAMS(n, shift_n, shift_2n)                                     \
  while (length >= 3 * (n)) {                                             \
    reg = three_streams(reg, out, in, (n), (shift_n), (shift_2n), copies, (n) == LONG_STREAM); \
    in += 3 * (n);                                                        \
    if (copies) out += 3 * (n);                                           \
    length -= 3 * (n);                                                    \
  }
  STREAMS(LONG_STREAM, 0x3f70cc6f, 0x5aa1f3cf)
  STREAMS(MIDDLE_STREAM, 0xa60ce07b, 0xcec3662e)
  STREAMS(SHORT_STREAM, 0x39d3b296, 0x878a92a7)
#undef STREAMS
  return ~(uint32_t)sse42_serial(reg, out, in, length, copies);
}

SSE42 static uint32_t extend_sse42(uint32_t crc, const void *data, size_t length) {
  if (length < 3 * SHORT_STREAM) return ~(uint32_t)sse42_serial((uint32_t)~crc, NULL, data, length, 0);
  return sse42_digest(crc, NULL, data, length, 0);
}

SSE42 static uint32_t copy_extend_sse42(uint32_t crc, void *destination, const void *source, size_t length) {
  return sse42_digest(crc, destination, source, length, 1);
}

// MARK: - Folding with VPCLMULQDQ
//
// A reflected 128-bit register A = low·x^64 + high (the low quadword holds the higher powers) is moved D bits on by
// low × (x^(64+D-1) mod P) + high × (x^(D-1) mod P); the missing factor x comes from the reflected product.

AVX512 ALWAYS_INLINE __m512i fold(__m512i reg, __m512i constants, __m512i next) {
  __m512i low = _mm512_clmulepi64_epi128(reg, constants, 0x00);
  __m512i high = _mm512_clmulepi64_epi128(reg, constants, 0x11);
  return _mm512_ternarylogic_epi64(low, high, next, 0x96);  // exclusive or of the three
}

#define FOLD_2048_LOW 0xe9a5d8be00000000ull
#define FOLD_2048_HIGH 0x1426a81500000000ull
#define FOLD_1024_LOW 0x6577b24500000000ull
#define FOLD_1024_HIGH 0x7417153f00000000ull
#define FOLD_512_LOW 0x1c19243b00000000ull
#define FOLD_512_HIGH 0x75bba45b00000000ull
#define FOLD_384_LOW 0xa46ef4aa00000000ull
#define FOLD_384_HIGH 0x6051243f00000000ull
#define FOLD_256_LOW 0x33ccbbbc00000000ull
#define FOLD_256_HIGH 0xa2158b3400000000ull
#define FOLD_128_LOW 0x3743f7bd00000000ull
#define FOLD_128_HIGH 0x3171d43000000000ull

AVX512 ALWAYS_INLINE __m512i both(uint64_t low, uint64_t high) {
  return _mm512_broadcast_i64x2(_mm_set_epi64x((long long)high, (long long)low));
}

// `length` ≥ 256.
AVX512 ALWAYS_INLINE uint32_t avx512_digest(uint32_t crc, uint8_t *out, const uint8_t *in, size_t length, int copies) {
  const __m512i by_2048 = both(FOLD_2048_LOW, FOLD_2048_HIGH);
  const __m512i by_512 = both(FOLD_512_LOW, FOLD_512_HIGH);
  __m512i a = _mm512_loadu_si512(in), b = _mm512_loadu_si512(in + 64);
  __m512i c = _mm512_loadu_si512(in + 128), d = _mm512_loadu_si512(in + 192);
  if (copies) {
    _mm512_storeu_si512(out, a);
    _mm512_storeu_si512(out + 64, b);
    _mm512_storeu_si512(out + 128, c);
    _mm512_storeu_si512(out + 192, d);
    out += 256;
  }
  in += 256;
  length -= 256;
  // The register so far goes into the first four bytes, as it would in the bytewise algorithm.
  a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
  while (length >= 256) {
    __m512i next_a = _mm512_loadu_si512(in), next_b = _mm512_loadu_si512(in + 64);
    __m512i next_c = _mm512_loadu_si512(in + 128), next_d = _mm512_loadu_si512(in + 192);
    if (copies) {
      _mm512_storeu_si512(out, next_a);
      _mm512_storeu_si512(out + 64, next_b);
      _mm512_storeu_si512(out + 128, next_c);
      _mm512_storeu_si512(out + 192, next_d);
      out += 256;
    }
    a = fold(a, by_2048, next_a);
    b = fold(b, by_2048, next_b);
    c = fold(c, by_2048, next_c);
    d = fold(d, by_2048, next_d);
    in += 256;
    length -= 256;
  }
  // Four registers into one: a and b over c and d, then the pair.
  const __m512i by_1024 = both(FOLD_1024_LOW, FOLD_1024_HIGH);
  c = fold(a, by_1024, c);
  d = fold(b, by_1024, d);
  d = fold(c, by_512, d);
  while (length >= 64) {
    __m512i next = _mm512_loadu_si512(in);
    if (copies) {
      _mm512_storeu_si512(out, next);
      out += 64;
    }
    d = fold(d, by_512, next);
    in += 64;
    length -= 64;
  }
  // Four lanes into one, each by its own distance; the last lane is where it belongs.
  const __m512i lanes = _mm512_set_epi64(
      0, 0, (long long)FOLD_128_HIGH, (long long)FOLD_128_LOW, (long long)FOLD_256_HIGH, (long long)FOLD_256_LOW,
      (long long)FOLD_384_HIGH, (long long)FOLD_384_LOW);
  __m512i last = _mm512_maskz_mov_epi64(0xc0, d);
  d = fold(d, lanes, last);
  __m256i halves = _mm256_xor_si256(_mm512_castsi512_si256(d), _mm512_extracti64x4_epi64(d, 1));
  __m128i one = _mm_xor_si128(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
  uint64_t reg = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(one));
  reg = _mm_crc32_u64(reg, (uint64_t)_mm_extract_epi64(one, 1));
  reg = sse42_serial(reg, out, in, length, copies);
  // Leave no dirty upper halves behind: SSE code that follows would pay for them.
  _mm256_zeroupper();
  return ~(uint32_t)reg;
}

AVX512 static uint32_t extend_avx512(uint32_t crc, const void *data, size_t length) {
  if (length < 256) return ~(uint32_t)sse42_serial((uint32_t)~crc, NULL, data, length, 0);
  return avx512_digest(crc, NULL, data, length, 0);
}

AVX512 static uint32_t copy_extend_avx512(uint32_t crc, void *destination, const void *source, size_t length) {
  if (length < 256) return ~(uint32_t)sse42_serial((uint32_t)~crc, destination, source, length, 1);
  return avx512_digest(crc, destination, source, length, 1);
}

#endif

#if defined(NVMEOF_ARM)

#define ARM_CRC __attribute__((target("crc")))

// A product of two reflected registers modulo P. Thirty-two steps, twice for each 240 bytes at the very least.
static uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
    if (b & bit) product ^= a;
    a = (a >> 1) ^ (a & 1 ? POLYNOMIAL : 0);
  }
  return product;
}

ARM_CRC static uint32_t extend_armv8(uint32_t crc, const void *data, size_t length) {
  const uint8_t *in = data;
  uint32_t reg = ~crc;
  // Constants: x^(8n) and x^(16n) mod P, reflected.
#define STREAMS(n, shift_n, shift_2n)                                          \
  while (length >= 3 * (n)) {                                                  \
    uint32_t second = 0, third = 0;                                            \
    for (size_t at = 0; at < (n); at += 8) {                                   \
      reg = __crc32cd(reg, load64(in + at));                                   \
      second = __crc32cd(second, load64(in + (n) + at));                       \
      third = __crc32cd(third, load64(in + 2 * (n) + at));                     \
    }                                                                          \
    reg = multiply(reg, (shift_2n)) ^ multiply(second, (shift_n)) ^ third;     \
    in += 3 * (n);                                                             \
    length -= 3 * (n);                                                         \
  }
  STREAMS(LONG_STREAM, 0xd6a79573, 0x4672c7f2)
  STREAMS(MIDDLE_STREAM, 0x7df9f615, 0x26b972a1)
#undef STREAMS
  for (; length >= 8; in += 8, length -= 8) reg = __crc32cd(reg, load64(in));
  for (; length > 0; length--) reg = __crc32cb(reg, *in++);
  return ~reg;
}

static uint32_t copy_extend_armv8(uint32_t crc, void *destination, const void *source, size_t length) {
  uint8_t *out = destination;
  const uint8_t *in = source;
  while (length > 0) {
    size_t piece = length < 3 * LONG_STREAM ? length : 3 * LONG_STREAM;
    memcpy(out, in, piece);
    crc = extend_armv8(crc, in, piece);
    out += piece;
    in += piece;
    length -= piece;
  }
  return crc;
}

#endif

// MARK: - Choice

int nvmeof_crc32c_is_supported(nvmeof_crc32c_way way) {
  switch (way) {
    case NVMEOF_CRC32C_PORTABLE:
      return 1;
#if defined(NVMEOF_X86)
    case NVMEOF_CRC32C_SSE42:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
    case NVMEOF_CRC32C_AVX512:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul") &&
             __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("vpclmulqdq");
#endif
#if defined(NVMEOF_ARM)
    case NVMEOF_CRC32C_ARMV8:
      return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
    default:
      return 0;
  }
}

nvmeof_crc32c_way nvmeof_crc32c_chosen_way(void) {
  if (nvmeof_crc32c_is_supported(NVMEOF_CRC32C_AVX512)) return NVMEOF_CRC32C_AVX512;
  if (nvmeof_crc32c_is_supported(NVMEOF_CRC32C_SSE42)) return NVMEOF_CRC32C_SSE42;
  if (nvmeof_crc32c_is_supported(NVMEOF_CRC32C_ARMV8)) return NVMEOF_CRC32C_ARMV8;
  return NVMEOF_CRC32C_PORTABLE;
}

static extend_function extend_function_of(nvmeof_crc32c_way way) {
  if (!nvmeof_crc32c_is_supported(way)) return nvmeof_crc32c_extend_portable;
  switch (way) {
#if defined(NVMEOF_X86)
    case NVMEOF_CRC32C_SSE42:
      return extend_sse42;
    case NVMEOF_CRC32C_AVX512:
      return extend_avx512;
#endif
#if defined(NVMEOF_ARM)
    case NVMEOF_CRC32C_ARMV8:
      return extend_armv8;
#endif
    default:
      return nvmeof_crc32c_extend_portable;
  }
}

static copy_extend_function copy_extend_function_of(nvmeof_crc32c_way way) {
  if (!nvmeof_crc32c_is_supported(way)) return nvmeof_crc32c_copy_extend_portable;
  switch (way) {
#if defined(NVMEOF_X86)
    case NVMEOF_CRC32C_SSE42:
      return copy_extend_sse42;
    case NVMEOF_CRC32C_AVX512:
      return copy_extend_avx512;
#endif
#if defined(NVMEOF_ARM)
    case NVMEOF_CRC32C_ARMV8:
      return copy_extend_armv8;
#endif
    default:
      return nvmeof_crc32c_copy_extend_portable;
  }
}

// The first call of each chooses; every thread chooses the same, so relaxed order is enough.
static uint32_t first_extend(uint32_t crc, const void *data, size_t length);
static uint32_t first_copy_extend(uint32_t crc, void *destination, const void *source, size_t length);
static _Atomic(extend_function) chosen_extend = first_extend;
static _Atomic(copy_extend_function) chosen_copy_extend = first_copy_extend;

static uint32_t first_extend(uint32_t crc, const void *data, size_t length) {
  extend_function function = extend_function_of(nvmeof_crc32c_chosen_way());
  atomic_store_explicit(&chosen_extend, function, memory_order_relaxed);
  return function(crc, data, length);
}

static uint32_t first_copy_extend(uint32_t crc, void *destination, const void *source, size_t length) {
  copy_extend_function function = copy_extend_function_of(nvmeof_crc32c_chosen_way());
  atomic_store_explicit(&chosen_copy_extend, function, memory_order_relaxed);
  return function(crc, destination, source, length);
}

uint32_t nvmeof_crc32c_extend(uint32_t crc, const void *data, size_t length) {
  return atomic_load_explicit(&chosen_extend, memory_order_relaxed)(crc, data, length);
}

uint32_t nvmeof_crc32c_copy_extend(uint32_t crc, void *destination, const void *source, size_t length) {
  return atomic_load_explicit(&chosen_copy_extend, memory_order_relaxed)(crc, destination, source, length);
}

uint32_t nvmeof_crc32c_extend_by(nvmeof_crc32c_way way, uint32_t crc, const void *data, size_t length) {
  return extend_function_of(way)(crc, data, length);
}

uint32_t nvmeof_crc32c_copy_extend_by(nvmeof_crc32c_way way, uint32_t crc, void *destination, const void *source,
                                      size_t length) {
  return copy_extend_function_of(way)(crc, destination, source, length);
}
