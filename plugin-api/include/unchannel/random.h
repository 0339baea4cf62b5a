/* unchannel/random.h: every random number of unchannel, as a pure function of (key, id, element, block).
 *
 * Licence: Apache-2.0. Header only: C11, C++11 and later, CUDA (host and device). No state, no initialisation, no locks.
 *
 * Generator: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11).
 *
 *   key      64 bit. Never reused for two purposes: key' = unchannel_derive(key, unchannel_tag(domain, value)).
 *   id       64 bit, the global index of the sample, below 2^63, never reused under one key, never local to a batch or rank.
 *   element  32 bit, the place inside the sample (pixel, voxel, ...).
 *   block    32 bit, advances freely for each (id, element): a rejection sampler uses block = 0, 1, 2, ... until it accepts.
 *
 * One Philox block has the counter {block, element / 4, id_lo, id_hi} and serves four neighbouring elements: element e owns output word e
 * % 4. So every (key, id, element, block) owns exactly one 32 bit word. A normal is made from the words of the pair (e, e ^ 1): do not use
 * one element both for a normal and for a uniform under the same key and block.
 *
 * Floats: no operation here may be fused or reassociated, and +, -, *, / and sqrt are correctly rounded, so scalar, bulk and CUDA paths
 * give the same bits. Without IEEE arithmetic (-ffast-math) expect agreement within 1e-6 relative.
 */
#ifndef UNCHANNEL_RANDOM_H
#define UNCHANNEL_RANDOM_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX2__) && !defined(__CUDACC__)
#include <immintrin.h>
#elif defined(__SSE2__) && !defined(__CUDACC__)
#include <emmintrin.h>
#else
#include <math.h>
#endif

#if defined(__CUDACC__)
#define UNCHANNEL_HD __host__ __device__
#else
#define UNCHANNEL_HD
#endif

/* A product that the compiler must not fuse into a following addition. */
#if defined(__CUDA_ARCH__)
#define UNCHANNEL_PRODUCT(a, b) __fmul_rn((a), (b))
#elif defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) && __GNUC__ >= 12
#define UNCHANNEL_PRODUCT(a, b) __builtin_assoc_barrier((a) * (b))
#else
#define UNCHANNEL_PRODUCT(a, b) ((a) * (b))
#endif
#if defined(__clang__) && !defined(__CUDA_ARCH__)
#define UNCHANNEL_NO_CONTRACTION _Pragma("clang fp contract(off)")
#else
#define UNCHANNEL_NO_CONTRACTION
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- integers: exact known answers on every platform ---- */

/* words = Philox4x32-10(counter, key). The ten rounds are a loop with a constant count, which every compiler unrolls. */
UNCHANNEL_HD static inline void unchannel_philox4x32_10(const uint32_t counter[4], uint64_t key, uint32_t words[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  int round;
  for (round = 0; round < 10; ++round) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u; /* golden ratio */
    k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/* Domains of tags. 0x8000 and above are free for a plugin's own derivations; the rest belongs to unchannel. */
#define UNCHANNEL_TAG_PURPOSE 1u         /* value: what the numbers are for, see UNCHANNEL_PURPOSE_* */
#define UNCHANNEL_TAG_OUTER_ITERATION 2u /* value: k */
#define UNCHANNEL_TAG_RESAMPLE 3u        /* value: number of the resample of one signal */
#define UNCHANNEL_TAG_COMPOSE_STAGE 4u   /* value: stage index */
#define UNCHANNEL_TAG_LATENT 5u          /* value: latent index, inside draw_latents */
#define UNCHANNEL_TAG_NOISE 6u           /* value: number of the noise source, inside simulate */
#define UNCHANNEL_TAG_PLUGIN 0x8000u     /* first free domain */

#define UNCHANNEL_PURPOSE_LATENTS 1u  /* the key that draw_latents gets */
#define UNCHANNEL_PURPOSE_SIMULATE 2u /* the key that simulate gets */
#define UNCHANNEL_PURPOSE_SIGNALS 3u  /* synthetic signals */
#define UNCHANNEL_PURPOSE_TRAINING 4u /* times, interpolant noise, dropout */
#define UNCHANNEL_PURPOSE_TRANSPORT 5u
#define UNCHANNEL_PURPOSE_SHUFFLE 6u
#define UNCHANNEL_PURPOSE_WEIGHTS 7u
#define UNCHANNEL_PURPOSE_TEST 8u

/* domain: 16 bit · value: 48 bit (higher bits are dropped). */
UNCHANNEL_HD static inline uint64_t unchannel_tag(uint32_t domain, uint64_t value) {
  return ((uint64_t)(domain & 0xFFFFu) << 48) | (value & 0xFFFFFFFFFFFFull);
}

/* key' = one Philox block under `key`. Its counter has id_hi = 0xFFFFFFFF, which no sample has, so derivations and draws never meet. */
UNCHANNEL_HD static inline uint64_t unchannel_derive(uint64_t key, uint64_t tag) {
  uint32_t counter[4], words[4];
  counter[0] = (uint32_t)tag;
  counter[1] = (uint32_t)(tag >> 32);
  counter[2] = 0x756E6368u; /* "unch" */
  counter[3] = 0xFFFFFFFFu;
  unchannel_philox4x32_10(counter, key, words);
  return ((uint64_t)words[1] << 32) | words[0];
}

/* The four words of elements 4 * quad ... 4 * quad + 3. */
UNCHANNEL_HD static inline void unchannel_words4(uint64_t key, uint64_t id, uint32_t quad, uint32_t block, uint32_t words[4]) {
  uint32_t counter[4];
  counter[0] = block;
  counter[1] = quad;
  counter[2] = (uint32_t)id;
  counter[3] = (uint32_t)(id >> 32);
  unchannel_philox4x32_10(counter, key, words);
}

/* The word that (key, id, element, block) owns: 32 uniform bits. */
UNCHANNEL_HD static inline uint32_t unchannel_word(uint64_t key, uint64_t id, uint32_t element, uint32_t block) {
  uint32_t words[4];
  unchannel_words4(key, id, element >> 2, block, words);
  return words[element & 3u];
}

/* 0 ... count - 1 from one word, count >= 1; the bias is below count / 2^32. */
UNCHANNEL_HD static inline uint32_t unchannel_below(uint32_t word, uint32_t count) { return (uint32_t)(((uint64_t)word * count) >> 32); }

/* ---- uniforms ---- */

/* An odd multiple of 2^-24 in the open interval (0, 1); exact in float32, symmetric about 1/2. */
UNCHANNEL_HD static inline float unchannel_uniform_from_word(uint32_t word) {
  return (float)(int32_t)((word >> 8) | 1u) * (1.0f / 16777216.0f);
}

UNCHANNEL_HD static inline float unchannel_uniform(uint64_t key, uint64_t id, uint32_t element, uint32_t block) {
  return unchannel_uniform_from_word(unchannel_word(key, id, element, block));
}

/* ---- normals: Box-Muller ---- */

/* -2 ln u for u = odd * 2^-24, odd = 1, 3, ..., 2^24 - 1. Relative error <= 3e-7 (also next to u = 1).
 * odd = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172, five terms of the series. */
UNCHANNEL_HD static inline float unchannel_minus_two_log(uint32_t odd) {
  UNCHANNEL_NO_CONTRACTION
  const float value = (float)(int32_t)odd;
  int32_t bits, exponent;
  float m, s, s2, series;
  memcpy(&bits, &value, 4);
  exponent = (bits - 0x3F3504F3) >> 23; /* 0x3F3504F3 is sqrt(1/2) */
  bits -= exponent * 0x00800000;
  memcpy(&m, &bits, 4);
#if defined(__CUDA_ARCH__)
  s = __fdiv_rn(m - 1.0f, m + 1.0f);
#else
  s = (m - 1.0f) / (m + 1.0f);
#endif
  s2 = UNCHANNEL_PRODUCT(s, s);
  series = UNCHANNEL_PRODUCT(s2, 1.0f / 9.0f) + 1.0f / 7.0f;
  series = UNCHANNEL_PRODUCT(s2, series) + 1.0f / 5.0f;
  series = UNCHANNEL_PRODUCT(s2, series) + 1.0f / 3.0f;
  series = UNCHANNEL_PRODUCT(UNCHANNEL_PRODUCT(s2, s), series) + s;
  return UNCHANNEL_PRODUCT((float)(24 - exponent), 1.386294361f) - UNCHANNEL_PRODUCT(series, 4.0f);
}

/* cosine and sine of 2 pi u for u = odd * 2^-24; absolute error <= 1.2e-7. The nearest quarter turn is taken off in integers, hence
 * exactly. */
UNCHANNEL_HD static inline void unchannel_cos_sin_turn(uint32_t odd, float* cosine, float* sine) {
  UNCHANNEL_NO_CONTRACTION
  const int32_t turn = (int32_t)odd;
  const int32_t quarter = (turn + 0x200000) >> 22;
  const float a = UNCHANNEL_PRODUCT((float)(turn - quarter * 0x400000), 3.745070282e-7f); /* 2 pi / 2^24 */
  const float a2 = UNCHANNEL_PRODUCT(a, a);
  const int32_t swap = -(quarter & 1);
  const int32_t cosine_sign = (int32_t)((uint32_t)((quarter + 1) & 2) << 30);
  const int32_t sine_sign = (int32_t)((uint32_t)(quarter & 2) << 30);
  float s, c;
  int32_t s_bits, c_bits, cosine_bits, sine_bits;
  s = UNCHANNEL_PRODUCT(a2, 1.0f / 362880.0f) - 1.0f / 5040.0f;
  s = UNCHANNEL_PRODUCT(a2, s) + 1.0f / 120.0f;
  s = UNCHANNEL_PRODUCT(a2, s) - 1.0f / 6.0f;
  s = UNCHANNEL_PRODUCT(UNCHANNEL_PRODUCT(a2, a), s) + a;
  c = UNCHANNEL_PRODUCT(a2, 1.0f / 40320.0f) - 1.0f / 720.0f;
  c = UNCHANNEL_PRODUCT(a2, c) + 1.0f / 24.0f;
  c = UNCHANNEL_PRODUCT(a2, c) - 0.5f;
  c = UNCHANNEL_PRODUCT(a2, c) + 1.0f;
  memcpy(&s_bits, &s, 4);
  memcpy(&c_bits, &c, 4);
  cosine_bits = ((c_bits & ~swap) | (s_bits & swap)) ^ cosine_sign;
  sine_bits = ((s_bits & ~swap) | (c_bits & swap)) ^ sine_sign;
  memcpy(cosine, &cosine_bits, 4);
  memcpy(sine, &sine_bits, 4);
}

/* Correctly rounded square root that does not depend on -fno-math-errno. */
UNCHANNEL_HD static inline float unchannel_sqrt(float value) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(value);
#elif defined(__SSE2__) && !defined(__CUDACC__)
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(value)));
#else
  return sqrtf(value);
#endif
}

/* Four independent standard normals from four words: (r cos, r sin) of (word 0: radius, word 1: angle), then of words 2 and 3. |n| < 5.77.
 */
UNCHANNEL_HD static inline void unchannel_normal4_from_words(const uint32_t words[4], float normals[4]) {
  int pair;
  for (pair = 0; pair < 2; ++pair) {
    float cosine, sine;
    const float radius = unchannel_sqrt(unchannel_minus_two_log((words[2 * pair] >> 8) | 1u));
    unchannel_cos_sin_turn((words[2 * pair + 1] >> 8) | 1u, &cosine, &sine);
    normals[2 * pair] = radius * cosine;
    normals[2 * pair + 1] = radius * sine;
  }
}

/* The normals of elements 4 * quad ... 4 * quad + 3: what one CUDA thread should produce. */
UNCHANNEL_HD static inline void unchannel_normal4(uint64_t key, uint64_t id, uint32_t quad, uint32_t block, float normals[4]) {
  uint32_t words[4];
  unchannel_words4(key, id, quad, block, words);
  unchannel_normal4_from_words(words, normals);
}

/* The standard normal of one element. */
UNCHANNEL_HD static inline float unchannel_normal(uint64_t key, uint64_t id, uint32_t element, uint32_t block) {
  float normals[4];
  unchannel_normal4(key, id, element >> 2, block, normals);
  return normals[element & 3u];
}

/* ---- bulk (CPU): same bits as the scalar functions, block 0 ---- */

#define UNCHANNEL_CHUNK_QUADS 16
#define UNCHANNEL_CHUNK (4 * UNCHANNEL_CHUNK_QUADS)

#if defined(__SSE2__) && !defined(__CUDACC__)
/* Philox with a 64 bit lane for each 32 bit word, which is where the products come out: upper halves hold anything, no instruction looks at
 * them. Compilers left alone spend more on shuffling than on multiplying: 2.0 against 0.9 us for 256 counters with AVX2. */
#if defined(__AVX2__)
typedef __m256i unchannel_lanes;
#define UNCHANNEL_LANES(op, type) _mm256_##op##_##type
#define UNCHANNEL_LANES_XOR(a, b) _mm256_xor_si256((a), (b))
#else
typedef __m128i unchannel_lanes;
#define UNCHANNEL_LANES(op, type) _mm_##op##_##type
#define UNCHANNEL_LANES_XOR(a, b) _mm_xor_si128((a), (b))
#endif
#define UNCHANNEL_LANE_QUADS ((int)(2 * sizeof(unchannel_lanes) / 8)) /* counters in a pair of registers */

static inline void unchannel_lanes_round(unchannel_lanes c[4], unchannel_lanes k0, unchannel_lanes k1) {
  const unchannel_lanes p0 = UNCHANNEL_LANES(mul, epu32)(c[0], UNCHANNEL_LANES(set1, epi64x)(0xD2511F53));
  const unchannel_lanes p1 = UNCHANNEL_LANES(mul, epu32)(c[2], UNCHANNEL_LANES(set1, epi64x)(0xCD9E8D57));
  c[0] = UNCHANNEL_LANES_XOR(UNCHANNEL_LANES_XOR(UNCHANNEL_LANES(srli, epi64)(p1, 32), c[1]), k0);
  c[1] = p1;
  c[2] = UNCHANNEL_LANES_XOR(UNCHANNEL_LANES_XOR(UNCHANNEL_LANES(srli, epi64)(p0, 32), c[3]), k1);
  c[3] = p0;
}

/* Lower halves of a and b in the order of the quads that unchannel_lanes_quads gave them. */
static inline void unchannel_lanes_store(uint32_t* words, unchannel_lanes a, unchannel_lanes b) {
#if defined(__AVX2__)
  const __m256 low = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
  _mm256_storeu_si256((__m256i*)words, _mm256_castps_si256(low));
#else
  const __m128 low = _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0x88);
  _mm_storeu_si128((__m128i*)words, _mm_castps_si128(low));
#endif
}

static inline unchannel_lanes unchannel_lanes_quads(uint32_t quad) {
#if defined(__AVX2__)
  return _mm256_add_epi32(_mm256_set1_epi64x((int64_t)quad), _mm256_set_epi64x(5, 4, 1, 0)); /* the pair's other register: 2, 3, 6, 7 */
#else
  return _mm_add_epi32(_mm_set1_epi64x((int64_t)quad), _mm_set_epi64x(1, 0));
#endif
}

/* Words of UNCHANNEL_CHUNK_QUADS successive quads. */
static inline void unchannel_chunk_words(uint64_t key, uint64_t id, uint32_t quad, uint32_t block, uint32_t w0[UNCHANNEL_CHUNK_QUADS],
                                         uint32_t w1[UNCHANNEL_CHUNK_QUADS], uint32_t w2[UNCHANNEL_CHUNK_QUADS],
                                         uint32_t w3[UNCHANNEL_CHUNK_QUADS]) {
  const unchannel_lanes step0 = UNCHANNEL_LANES(set1, epi64x)(0x9E3779B9), step1 = UNCHANNEL_LANES(set1, epi64x)(0xBB67AE85);
  int lane, round;
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; lane += UNCHANNEL_LANE_QUADS) {
    unchannel_lanes k0 = UNCHANNEL_LANES(set1, epi64x)((int64_t)(uint32_t)key), k1 = UNCHANNEL_LANES(set1, epi64x)((int64_t)(key >> 32));
    unchannel_lanes a[4], b[4];
    a[0] = b[0] = UNCHANNEL_LANES(set1, epi64x)((int64_t)block);
    a[1] = unchannel_lanes_quads(quad + (uint32_t)lane);
    b[1] = unchannel_lanes_quads(quad + (uint32_t)lane + 2);
    a[2] = b[2] = UNCHANNEL_LANES(set1, epi64x)((int64_t)(uint32_t)id);
    a[3] = b[3] = UNCHANNEL_LANES(set1, epi64x)((int64_t)(id >> 32));
    for (round = 0; round < 10; ++round) {
      unchannel_lanes_round(a, k0, k1);
      unchannel_lanes_round(b, k0, k1);
      k0 = UNCHANNEL_LANES(add, epi32)(k0, step0);
      k1 = UNCHANNEL_LANES(add, epi32)(k1, step1);
    }
    unchannel_lanes_store(w0 + lane, a[0], b[0]);
    unchannel_lanes_store(w1 + lane, a[1], b[1]);
    unchannel_lanes_store(w2 + lane, a[2], b[2]);
    unchannel_lanes_store(w3 + lane, a[3], b[3]);
  }
}
#undef UNCHANNEL_LANES
#undef UNCHANNEL_LANES_XOR
#undef UNCHANNEL_LANE_QUADS
#else
/* Words of UNCHANNEL_CHUNK_QUADS successive quads. Constant trip counts and local arrays, so that compilers vectorise it at -O2. */
static inline void unchannel_chunk_words(uint64_t key, uint64_t id, uint32_t quad, uint32_t block, uint32_t w0[UNCHANNEL_CHUNK_QUADS],
                                         uint32_t w1[UNCHANNEL_CHUNK_QUADS], uint32_t w2[UNCHANNEL_CHUNK_QUADS],
                                         uint32_t w3[UNCHANNEL_CHUNK_QUADS]) {
  int lane;
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; ++lane) {
    uint32_t words[4];
    unchannel_words4(key, id, quad + (uint32_t)lane, block, words);
    w0[lane] = words[0];
    w1[lane] = words[1];
    w2[lane] = words[2];
    w3[lane] = words[3];
  }
}
#endif

/* Both members of UNCHANNEL_CHUNK_QUADS Box-Muller pairs. */
static inline void unchannel_chunk_pairs(const uint32_t radius_words[UNCHANNEL_CHUNK_QUADS],
                                         const uint32_t angle_words[UNCHANNEL_CHUNK_QUADS], float first[UNCHANNEL_CHUNK_QUADS],
                                         float second[UNCHANNEL_CHUNK_QUADS]) {
  float radius[UNCHANNEL_CHUNK_QUADS];
  int lane;
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; ++lane) {
    radius[lane] = unchannel_minus_two_log((radius_words[lane] >> 8) | 1u);
  }
#if defined(__SSE2__) && !defined(__CUDACC__)
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; lane += 4) {
    _mm_storeu_ps(radius + lane, _mm_sqrt_ps(_mm_loadu_ps(radius + lane)));
  }
#else
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; ++lane) {
    radius[lane] = unchannel_sqrt(radius[lane]);
  }
#endif
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; ++lane) {
    float cosine, sine;
    unchannel_cos_sin_turn((angle_words[lane] >> 8) | 1u, &cosine, &sine);
    first[lane] = radius[lane] * cosine;
    second[lane] = radius[lane] * sine;
  }
}

static inline void unchannel_chunk_normals(uint64_t key, uint64_t id, uint32_t quad, float normals[UNCHANNEL_CHUNK]) {
  uint32_t w0[UNCHANNEL_CHUNK_QUADS], w1[UNCHANNEL_CHUNK_QUADS], w2[UNCHANNEL_CHUNK_QUADS], w3[UNCHANNEL_CHUNK_QUADS];
  float n0[UNCHANNEL_CHUNK_QUADS], n1[UNCHANNEL_CHUNK_QUADS], n2[UNCHANNEL_CHUNK_QUADS], n3[UNCHANNEL_CHUNK_QUADS];
  int lane;
  unchannel_chunk_words(key, id, quad, 0, w0, w1, w2, w3);
  unchannel_chunk_pairs(w0, w1, n0, n1);
  unchannel_chunk_pairs(w2, w3, n2, n3);
#if defined(__SSE2__) && !defined(__CUDACC__)
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; lane += 4) { /* rows of four quads become columns */
    const __m128 a = _mm_loadu_ps(n0 + lane), b = _mm_loadu_ps(n1 + lane), c = _mm_loadu_ps(n2 + lane), d = _mm_loadu_ps(n3 + lane);
    const __m128 ab_low = _mm_unpacklo_ps(a, b), ab_high = _mm_unpackhi_ps(a, b);
    const __m128 cd_low = _mm_unpacklo_ps(c, d), cd_high = _mm_unpackhi_ps(c, d);
    _mm_storeu_ps(normals + 4 * lane, _mm_movelh_ps(ab_low, cd_low));
    _mm_storeu_ps(normals + 4 * lane + 4, _mm_movehl_ps(cd_low, ab_low));
    _mm_storeu_ps(normals + 4 * lane + 8, _mm_movelh_ps(ab_high, cd_high));
    _mm_storeu_ps(normals + 4 * lane + 12, _mm_movehl_ps(cd_high, ab_high));
  }
#else
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; ++lane) {
    normals[4 * lane] = n0[lane];
    normals[4 * lane + 1] = n1[lane];
    normals[4 * lane + 2] = n2[lane];
    normals[4 * lane + 3] = n3[lane];
  }
#endif
}

static inline void unchannel_chunk_uniforms(uint64_t key, uint64_t id, uint32_t quad, float uniforms[UNCHANNEL_CHUNK]) {
  uint32_t w0[UNCHANNEL_CHUNK_QUADS], w1[UNCHANNEL_CHUNK_QUADS], w2[UNCHANNEL_CHUNK_QUADS], w3[UNCHANNEL_CHUNK_QUADS];
  int lane;
  unchannel_chunk_words(key, id, quad, 0, w0, w1, w2, w3);
  for (lane = 0; lane < UNCHANNEL_CHUNK_QUADS; ++lane) {
    uniforms[4 * lane] = unchannel_uniform_from_word(w0[lane]);
    uniforms[4 * lane + 1] = unchannel_uniform_from_word(w1[lane]);
    uniforms[4 * lane + 2] = unchannel_uniform_from_word(w2[lane]);
    uniforms[4 * lane + 3] = unchannel_uniform_from_word(w3[lane]);
  }
}

/* out[i] = unchannel_normal(key, id, element0 + i, 0), i = 0 ... count - 1; element0 + count <= 2^32. */
static inline void unchannel_normal_fill(uint64_t key, uint64_t id, uint32_t element0, uint64_t count, float* out) {
  uint64_t done = 0;
  while (done < count) {
    const uint32_t element = element0 + (uint32_t)done;
    const uint32_t skip = element & 3u;
    const uint64_t left = count - done;
    float normals[UNCHANNEL_CHUNK];
    uint64_t take;
    if (skip == 0 && left >= UNCHANNEL_CHUNK) {
      unchannel_chunk_normals(key, id, element >> 2, out + done);
      done += UNCHANNEL_CHUNK;
      continue;
    }
    if (left > 16) {
      unchannel_chunk_normals(key, id, element >> 2, normals);
      take = UNCHANNEL_CHUNK - skip;
    } else {
      unchannel_normal4(key, id, element >> 2, 0, normals);
      take = 4 - skip;
    }
    if (take > left) {
      take = left;
    }
    memcpy(out + done, normals + skip, (size_t)take * sizeof(float));
    done += take;
  }
}

/* out[i] = unchannel_uniform(key, id, element0 + i, 0), i = 0 ... count - 1; element0 + count <= 2^32. */
static inline void unchannel_uniform_fill(uint64_t key, uint64_t id, uint32_t element0, uint64_t count, float* out) {
  uint64_t done = 0;
  while (done < count) {
    const uint32_t element = element0 + (uint32_t)done;
    const uint32_t skip = element & 3u;
    const uint64_t left = count - done;
    float uniforms[UNCHANNEL_CHUNK];
    uint64_t take;
    if (left <= 16) {
      uint32_t words[4];
      int lane;
      unchannel_words4(key, id, element >> 2, 0, words);
      for (lane = 0; lane < 4; ++lane) {
        uniforms[lane] = unchannel_uniform_from_word(words[lane]);
      }
      take = 4 - skip;
    } else {
      unchannel_chunk_uniforms(key, id, element >> 2, uniforms);
      take = UNCHANNEL_CHUNK - skip;
    }
    if (take > left) {
      take = left;
    }
    memcpy(out + done, uniforms + skip, (size_t)take * sizeof(float));
    done += take;
  }
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* UNCHANNEL_RANDOM_H */
