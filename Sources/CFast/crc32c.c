#include "cfast.h"

#include <string.h>

// A table for processors without the instruction; built on first use. Racing builders write the
// same words, so no lock is needed.
static uint32_t table[256];
static volatile int table_ready;

static uint32_t crc32c_table(uint32_t crc, const uint8_t *p, size_t n) {
  if (!table_ready) {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t c = i;
      for (int k = 0; k < 8; k++) c = (c >> 1) ^ (0x82F63B78u & (0u - (c & 1u)));
      table[i] = c;
    }
    __sync_synchronize();
    table_ready = 1;
  }
  while (n--) crc = (crc >> 8) ^ table[(crc ^ *p++) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *p,
                                                                  size_t n) {
  uint64_t c = crc;
  while (n >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
    p += 8;
    n -= 8;
  }
  uint32_t c32 = (uint32_t)c;
  while (n--) c32 = _mm_crc32_u8(c32, *p++);
  return c32;
}

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *p, size_t n) {
  while (n >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    crc = __crc32cd(crc, word);
    p += 8;
    n -= 8;
  }
  while (n--) crc = __crc32cb(crc, *p++);
  return crc;
}

static int has_instruction(void) { return 1; }
#else
static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *p, size_t n) {
  return crc32c_table(crc, p, n);
}

static int has_instruction(void) { return 0; }
#endif

uint32_t cfast_crc32c(uint32_t crc, const void *bytes, size_t length) {
  crc = ~crc;
  crc = has_instruction() ? crc32c_hardware(crc, bytes, length) : crc32c_table(crc, bytes, length);
  return ~crc;
}
