/* Compares random.h with known_answers.h. One body for C, C++ and CUDA host and device code; each returns 1 when the answer is wrong. */
#ifndef KNOWN_ANSWERS_CHECK_H
#define KNOWN_ANSWERS_CHECK_H

#include <unchannel/random.h>

#include "known_answers.h"

UNCHANNEL_HD static inline int known_block_is_wrong(const known_block* k) {
  uint32_t words[4];
  unchannel_philox4x32_10(k->counter, k->key, words);
  return words[0] != k->words[0] || words[1] != k->words[1] || words[2] != k->words[2] || words[3] != k->words[3];
}

UNCHANNEL_HD static inline int known_key_is_wrong(const known_key* k) {
  return unchannel_derive(k->key, unchannel_tag(k->domain, k->value)) != k->derived;
}

/* Words and uniforms are exact. A normal is r cos(a) with r below 2.4 in every draw here: 3e-7 / 2 relative of r (random.h), 1.2e-7
 * absolute of the cosine and two roundings of 6e-8 make less than 2.4 * 4e-7 = 1e-6. */
UNCHANNEL_HD static inline int known_draw_is_wrong(const known_draw* k) {
  const double error = (double)unchannel_normal(k->key, k->id, k->element, k->block) - k->normal;
  return unchannel_word(k->key, k->id, k->element, k->block) != k->word ||
         (double)unchannel_uniform(k->key, k->id, k->element, k->block) != k->uniform || !(error < 1e-6 && error > -1e-6);
}

#define KNOWN_COUNT(table) (sizeof(table) / sizeof((table)[0]))

static inline int known_answers_wrong(void) {
  int wrong = 0;
  unsigned i;
  for (i = 0; i < KNOWN_COUNT(kKnownBlocks); ++i) {
    wrong += known_block_is_wrong(&kKnownBlocks[i]);
  }
  for (i = 0; i < KNOWN_COUNT(kKnownKeys); ++i) {
    wrong += known_key_is_wrong(&kKnownKeys[i]);
  }
  for (i = 0; i < KNOWN_COUNT(kKnownDraws); ++i) {
    wrong += known_draw_is_wrong(&kKnownDraws[i]);
  }
  return wrong;
}

#endif
