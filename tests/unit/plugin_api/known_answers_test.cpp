#include <gtest/gtest.h>

#include "known_answers_check.h"

extern "C" int known_answers_wrong_in_c(void);

namespace {

TEST(KnownAnswers, HoldInCpp) { EXPECT_EQ(known_answers_wrong(), 0); }
TEST(KnownAnswers, HoldInC) { EXPECT_EQ(known_answers_wrong_in_c(), 0); }

TEST(KnownAnswers, AWrongAnswerIsSeen) {
  known_block block = kKnownBlocks[2];
  block.words[3] ^= 1;
  EXPECT_EQ(known_block_is_wrong(&block), 1);
  known_key key = kKnownKeys[1];
  key.derived ^= uint64_t{1} << 63;
  EXPECT_EQ(known_key_is_wrong(&key), 1);
  for (int field = 0; field < 3; ++field) {
    known_draw draw = kKnownDraws[3];
    if (field == 0) draw.word ^= 1;
    if (field == 1) draw.uniform += 1e-7;
    if (field == 2) draw.normal += 3e-6;
    EXPECT_EQ(known_draw_is_wrong(&draw), 1) << field;
  }
}

}  // namespace
