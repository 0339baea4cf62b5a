#include <gtest/gtest.h>

#include <unchannel/conformance/fuzz.hpp>

namespace unchannel::conformance {
namespace {

FuzzOutcome fuzz(const std::filesystem::path& file, std::uint64_t first_seed, std::int64_t seeds) {
  return fuzz_file({.request = {.file = file}, .first_seed = first_seed, .seeds = seeds, .probe = {.worker = WORKER}});
}

TEST(Fuzz, FindsNothingInGoodPlugins) {
  for (const char* file : {BROKEN_DIR "/conformant.so", SPECTROGRAPH, AWGN}) {
    const FuzzOutcome outcome = fuzz(file, 1, 15);
    EXPECT_FALSE(outcome.failed) << file << " seed " << outcome.seed << ": " << outcome.reason;
    EXPECT_EQ(outcome.tried, 15);
  }
}

TEST(Fuzz, FindsAWriteBehindTheEndAndReproducesItFromItsSeed) {
  const FuzzOutcome found = fuzz(BROKEN_DIR "/guard-pages.so", 1, 30);
  ASSERT_TRUE(found.failed);
  const FuzzOutcome again = fuzz(BROKEN_DIR "/guard-pages.so", found.seed, 1);
  EXPECT_TRUE(again.failed);
  EXPECT_EQ(again.reason, found.reason);
  EXPECT_NE(found.reason.find("bytes behind its end"), std::string::npos) << found.reason;
}

TEST(Fuzz, ACrashIsAFindingWithItsPlace) {
  const FuzzOutcome found = fuzz(BROKEN_DIR "/parameter-bounds.so", 1, 200);
  ASSERT_TRUE(found.failed);
  EXPECT_NE(found.reason.find("crashes in configure"), std::string::npos) << found.reason;
}

}  // namespace
}  // namespace unchannel::conformance
