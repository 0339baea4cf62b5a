/* Known answers of unchannel/random.h, written by known_answers.py: do not edit. */
/* clang-format off */
#ifndef KNOWN_ANSWERS_H
#define KNOWN_ANSWERS_H
#include <stdint.h>

typedef struct known_block {
  uint32_t counter[4];
  uint64_t key;
  uint32_t words[4];
} known_block;
/* Published with Random123 (kat_vectors). */
static const known_block kKnownBlocks[] = {
    {{0x00000000u, 0x00000000u, 0x00000000u, 0x00000000u}, 0x0000000000000000u, {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}},
    {{0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}, 0xffffffffffffffffu, {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}},
    {{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0x299f31d0a4093822u, {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}}};

typedef struct known_key {
  uint64_t key;
  uint32_t domain;
  uint64_t value, derived;
} known_key;
static const known_key kKnownKeys[] = {
    {0x0000000000000000u, 0x1u, 0x0u, 0x5fcdfe4b710a17beu},
    {0xffffffffffffffffu, 0x8001u, 0xffffffffffffu, 0x1231b0839aea7153u},
    {0x0123456789abcdefu, 0x6u, 0x11u, 0xe4e79fb158375d60u}};

/* uniform is exact in float32; normal is the float64 value of the formula. */
typedef struct known_draw {
  uint64_t key, id;
  uint32_t element, block, word;
  double uniform, normal;
} known_draw;
static const known_draw kKnownDraws[] = {
    {0x0000000000000000u, 0x0000000000000000u, 0x0u, 0x0u, 0x6627e8d5u, 0.39904648065567017, 0.9911374751458971},
    {0x0000000000000001u, 0x0000000000000002u, 0x3u, 0x4u, 0x09cd0158u, 0.038284361362457275, 0.2548577576356781},
    {0x0123456789abcdefu, 0x0000050000000003u, 0x3ffu, 0x0u, 0x15c3bd02u, 0.08501797914505005, 0.3249695779639709},
    {0xffffffffffffffffu, 0x7fffffffffffffffu, 0xffffffffu, 0xffffffffu, 0xa925a566u, 0.6607306599617004, -1.2299696043588308},
    {0x000000000000002au, 0x0000000000000007u, 0x0u, 0x0u, 0x67ee6f2cu, 0.40598195791244507, 1.0651509578355807},
    {0x000000000000002au, 0x0000000000000007u, 0x1u, 0x0u, 0xe55410ccu, 0.8958140015602112, -0.8175246510266224},
    {0x000000000000002au, 0x0000000000000007u, 0x2u, 0x0u, 0x6c7eca35u, 0.4238097071647644, -0.6584504034191547},
    {0x000000000000002au, 0x0000000000000007u, 0x3u, 0x0u, 0x557398d3u, 0.33379513025283813, 1.1328656243950892},
    {0x000000000000002au, 0x0000000000000007u, 0x0u, 0x1u, 0xe5dde940u, 0.8979173302650452, -0.3286256234722757}};

#endif
