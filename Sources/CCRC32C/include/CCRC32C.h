// CRC32C (Castagnoli, polynomial 1EDC6F41h, reflected), the digest of NVMe/TCP header and data digests
// (NVMe/TCP Transport Specification, section 3.3.1.1; RFC 3720, section 12.1 and appendix B.4).
//
// All functions have finalised-form semantics: `crc` in and out are complete CRC32C values, 0 is the CRC32C of no
// bytes, and extend(extend(0, a), b) is the CRC32C of a followed by b. All are thread safe and allocate nothing.
#ifndef CCRC32C_H
#define CCRC32C_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The CRC32C of the bytes that gave `crc` followed by `length` bytes at `data`, by the fastest way this processor has.
/// `data` may be null where `length` is 0.
uint32_t nvmeof_crc32c_extend(uint32_t crc, const void *_Nullable data, size_t length);

/// As `nvmeof_crc32c_extend` over `source`, and copies the bytes to `destination` in the same pass.
/// The two ranges may not overlap.
uint32_t nvmeof_crc32c_copy_extend(uint32_t crc, void *_Nullable destination, const void *_Nullable source,
                                   size_t length);

/// The fall-back for processors without CRC instructions (slicing by eight), callable on its own for tests.
uint32_t nvmeof_crc32c_extend_portable(uint32_t crc, const void *_Nullable data, size_t length);

/// As `nvmeof_crc32c_copy_extend`, portable.
uint32_t nvmeof_crc32c_copy_extend_portable(uint32_t crc, void *_Nullable destination, const void *_Nullable source,
                                            size_t length);

/// The ways this build knows. Which of them this processor can run: `nvmeof_crc32c_is_supported`.
typedef enum __attribute__((enum_extensibility(closed))) {
  /// Slicing by eight, tables of 8 KiB.
  NVMEOF_CRC32C_PORTABLE = 0,
  /// SSE4.2 `crc32` in three interleaved streams, joined with PCLMULQDQ.
  NVMEOF_CRC32C_SSE42 = 1,
  /// Folding of 256 bytes a step with VPCLMULQDQ on 512-bit registers; short inputs as SSE4.2.
  NVMEOF_CRC32C_AVX512 = 2,
  /// ARMv8 `crc32c` in three interleaved streams.
  NVMEOF_CRC32C_ARMV8 = 3,
} nvmeof_crc32c_way;

/// Whether this build and this processor have `way`.
int nvmeof_crc32c_is_supported(nvmeof_crc32c_way way);

/// The way `nvmeof_crc32c_extend` uses on this processor.
nvmeof_crc32c_way nvmeof_crc32c_chosen_way(void);

/// As `nvmeof_crc32c_extend` by a given way, for tests and measurements. An unsupported way is done portably.
uint32_t nvmeof_crc32c_extend_by(nvmeof_crc32c_way way, uint32_t crc, const void *_Nullable data, size_t length);

/// As `nvmeof_crc32c_copy_extend` by a given way, for tests and measurements. An unsupported way is done portably.
uint32_t nvmeof_crc32c_copy_extend_by(nvmeof_crc32c_way way, uint32_t crc, void *_Nullable destination,
                                      const void *_Nullable source, size_t length);

#ifdef __cplusplus
}
#endif
#endif
