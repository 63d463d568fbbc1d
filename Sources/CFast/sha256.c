// SHA-256 as FIPS 180-4 gives it (§4.1.2 functions, §4.2.2 constants, §5.1.1 padding, §5.3.3 initial
// value, §6.2.2 rounds), for many short messages: no context object, nothing is allocated.
#include "cfast.h"

#include <string.h>

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t rotated(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress_portable(uint32_t state[8], const uint8_t *p, size_t blocks) {
  for (; blocks > 0; blocks--, p += 64) {
    uint32_t w[64], s[8];
    for (int t = 0; t < 16; t++) {
      uint32_t word;
      memcpy(&word, p + 4 * t, 4);
      w[t] = __builtin_bswap32(word);
    }
    for (int t = 16; t < 64; t++) {
      uint32_t a = w[t - 15], b = w[t - 2];
      w[t] = w[t - 16] + w[t - 7] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) +
             (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
    }
    memcpy(s, state, 32);
    // Instead of moving all eight variables one place on, each round begins one place earlier.
#pragma clang loop unroll_count(8)
    for (int t = 0; t < 64; t++) {
      uint32_t a = s[-t & 7], b = s[(1 - t) & 7], c = s[(2 - t) & 7];
      uint32_t e = s[(4 - t) & 7], f = s[(5 - t) & 7], g = s[(6 - t) & 7];
      uint32_t t1 = s[(7 - t) & 7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                    ((e & f) ^ (~e & g)) + constants[t] + w[t];
      s[(3 - t) & 7] += t1;
      s[(7 - t) & 7] = t1 + (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) +
                       ((a & b) ^ (a & c) ^ (b & c));
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
  }
}

#if defined(__x86_64__)
#include <immintrin.h>

// The instructions want the state as (a, b, e, f) and (c, d, g, h), highest word first, and do two
// rounds each.
__attribute__((target("sha,sse4.1"))) static void compress_hardware(uint32_t state[8],
                                                                    const uint8_t *p,
                                                                    size_t blocks) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
  __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
  for (; blocks > 0; blocks--, p += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    // The last sixteen words of the schedule, four to an element.
    __m128i w[4];
#pragma clang loop unroll(full)
    for (int t = 0; t < 16; t++) {
      __m128i *now = &w[t & 3];
      const __m128i before = w[(t + 3) & 3];
      if (t < 4) {
        *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + t), swap);
      } else {
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(t + 1) & 3]),
                                          _mm_alignr_epi8(before, w[(t + 2) & 3], 4));
        *now = _mm_sha256msg2_epu32(sum, before);
      }
      const __m128i k = _mm_add_epi32(*now, _mm_load_si128((const __m128i *)constants + t));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

static int has_instructions(void) {
  return __builtin_cpu_supports("sha") && __builtin_cpu_supports("sse4.1");
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_SHA2)
#include <arm_neon.h>

static void compress_hardware(uint32_t state[8], const uint8_t *p, size_t blocks) {
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
  for (; blocks > 0; blocks--, p += 64) {
    const uint32x4_t abcd_before = abcd, efgh_before = efgh;
    // The last sixteen words of the schedule, four to an element.
    uint32x4_t w[4];
#pragma clang loop unroll(full)
    for (int t = 0; t < 16; t++) {
      uint32x4_t *now = &w[t & 3];
      if (t < 4) {
        *now = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p + 16 * t)));
      } else {
        *now = vsha256su1q_u32(vsha256su0q_u32(*now, w[(t + 1) & 3]), w[(t + 2) & 3],
                               w[(t + 3) & 3]);
      }
      const uint32x4_t k = vaddq_u32(*now, vld1q_u32(constants + 4 * t));
      const uint32x4_t abcd_now = abcd;
      abcd = vsha256hq_u32(abcd, efgh, k);
      efgh = vsha256h2q_u32(efgh, abcd_now, k);
    }
    abcd = vaddq_u32(abcd, abcd_before);
    efgh = vaddq_u32(efgh, efgh_before);
  }
  vst1q_u32(state, abcd);
  vst1q_u32(state + 4, efgh);
}

static int has_instructions(void) { return 1; }
#else
static void compress_hardware(uint32_t state[8], const uint8_t *p, size_t blocks) {
  compress_portable(state, p, blocks);
}

static int has_instructions(void) { return 0; }
#endif

typedef void compress_function(uint32_t state[8], const uint8_t *p, size_t blocks);

static void digest_of(compress_function *compress, const void *message, size_t length,
                      const void *suffix, size_t suffix_length, uint8_t digest[32]) {
  uint32_t state[8];
  memcpy(state, initial, 32);
  size_t whole = length / 64, rest = length % 64;
  compress(state, message, whole);
  // What is left of the message, the suffix, the bit 1, zeros, and the length in bits: two blocks at
  // most, since the suffix has no more than 32 bytes.
  uint8_t end[128] = {0};
  if (rest > 0) memcpy(end, (const uint8_t *)message + 64 * whole, rest);
  if (suffix_length > 0) memcpy(end + rest, suffix, suffix_length);
  rest += suffix_length;
  end[rest] = 0x80;
  size_t blocks = rest < 56 ? 1 : 2;
  uint64_t bits = __builtin_bswap64((uint64_t)(length + suffix_length) * 8);
  memcpy(end + 64 * blocks - 8, &bits, 8);
  compress(state, end, blocks);
  for (int i = 0; i < 8; i++) {
    uint32_t word = __builtin_bswap32(state[i]);
    memcpy(digest + 4 * i, &word, 4);
  }
}

void cfast_sha256(const void *message, size_t length, const void *suffix, size_t suffix_length,
                  uint8_t digest[32]) {
  digest_of(has_instructions() ? compress_hardware : compress_portable, message, length, suffix,
            suffix_length, digest);
}

void cfast_sha256_portable(const void *message, size_t length, const void *suffix,
                           size_t suffix_length, uint8_t digest[32]) {
  digest_of(compress_portable, message, length, suffix, suffix_length, digest);
}
