// Started by mpirun with one to four processes: every case is collective.
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include <unchannel/distributed/agreement.hpp>
#include <unchannel/distributed/ranks.hpp>
#include <unchannel/test_support/message_of.hpp>

namespace unchannel {
namespace {

std::shared_ptr<Ranks> ranks;  // NOLINT: MPI begins once in a process

TEST(Ranks, SumsEveryElementOverAllRanks) {
  const int size = ranks->size();
  std::vector<float> values(100'001);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1000) + static_cast<float>(ranks->rank());
  ranks->sum(values);
  for (std::size_t i = 0; i < values.size(); ++i) {  // small whole numbers: exact
    ASSERT_EQ(values[i], static_cast<float>(size) * static_cast<float>(i % 1000) + static_cast<float>(size * (size - 1) / 2));
  }
}

TEST(Ranks, SumsHaveTheSameBitsEverywhere) {
  std::vector<float> values(10'007);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.0F / static_cast<float>(3 * i + 7 * static_cast<std::size_t>(ranks->rank()) + 1);
  ranks->sum(values);
  const std::string bits(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  for (const std::string& other : ranks->gather(bits)) EXPECT_EQ(other, bits);
}

TEST(Ranks, BroadcastsTheFirstOnesBytes) {
  std::string bytes = ranks->first() ? std::string("a\0b", 3) + std::string(1'000'000, 'x') : "something else";
  ranks->broadcast(bytes);
  EXPECT_EQ(bytes, std::string("a\0b", 3) + std::string(1'000'000, 'x'));
  std::string empty = ranks->first() ? "" : "not empty";
  ranks->broadcast(empty);
  EXPECT_EQ(empty, "");
}

TEST(Ranks, GathersTextsOfAnyLengthInOrder) {
  const std::vector<std::string> texts = ranks->gather(std::string(static_cast<std::size_t>(ranks->rank()) * 3, 'a'));
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(ranks->size()));
  for (std::size_t r = 0; r < texts.size(); ++r) EXPECT_EQ(texts[r], std::string(r * 3, 'a'));
}

TEST(Ranks, GathersRowsThatTheyCannotShareEqually) {
  for (const std::int64_t rows : {0, 1, 2, 7, 64}) {  // fewer rows than ranks, too
    const std::int64_t size = 3;
    const auto [begin, end] = share_of(rows, ranks->rank(), ranks->size());
    std::vector<float> mine(static_cast<std::size_t>((end - begin) * size)), all(static_cast<std::size_t>(rows * size)), expected(all.size());
    std::iota(mine.begin(), mine.end(), static_cast<float>(begin * size));
    std::iota(expected.begin(), expected.end(), 0.0F);
    ranks->gather_rows(std::as_bytes(std::span(mine)), rows, std::as_writable_bytes(std::span(all)));
    EXPECT_EQ(all, expected) << rows;
  }
}

TEST(Ranks, SharesFollowOneAnother) {
  for (const std::int64_t rows : {0, 1, 5, 1000}) {
    std::int64_t next = 0;
    for (int r = 0; r < 7; ++r) {
      const auto [begin, end] = share_of(rows, r, 7);
      EXPECT_EQ(begin, next);
      EXPECT_LE(end - begin, rows / 7 + 1);
      next = end;
    }
    EXPECT_EQ(next, rows);
  }
}

TEST(Agreement, AFailureOfOneRankIsThrownByAllWithItsCodeAndName) {
  const int last = ranks->size() - 1;
  const auto fail = [&] {
    together(*ranks, [&] {
      if (ranks->rank() == last) throw PluginError("the instrument is off");
    });
  };
  const std::string message = test_support::message_of<PluginError>(fail);
  EXPECT_NE(message.find("the instrument is off"), std::string::npos) << message;
  EXPECT_TRUE(ranks->alone() || message.starts_with("rank " + std::to_string(last) + " on ")) << message;
  EXPECT_EQ(together(*ranks, [] {}), 0);  // and work goes on
}

TEST(Agreement, AStopSignalOfOneRankReachesAll) {
  EXPECT_EQ(together(*ranks, [] {}, ranks->first() ? SIGINT : 0), SIGINT);
  if (ranks->alone()) return;
  EXPECT_EQ(together(*ranks, [] {}, ranks->first() ? SIGTERM : SIGINT), SIGTERM);
}

TEST(Agreement, NamesTheFirstSettingThatDiffers) {
  EXPECT_NO_THROW(check_same_everywhere(*ranks, {{"a", 1}, {"b", {1, 2}}}));
  if (ranks->alone()) return;
  const bool odd = ranks->rank() == 1;
  const std::string message = test_support::message_of<ConfigError>(
      [&] { check_same_everywhere(*ranks, {{"a", 1}, {"b", {"x = 1", odd ? "y = 3" : "y = 2"}}}); });
  EXPECT_TRUE(message.starts_with("rank 1 on ")) << message;
  EXPECT_NE(message.find("b/1 differs between the ranks: \"y = 3\" there, \"y = 2\" on rank 0"), std::string::npos) << message;
  EXPECT_THROW(check_same_everywhere(*ranks, odd ? nlohmann::json{{"a", 1}, {"c", 2}} : nlohmann::json{{"a", 1}}), ConfigError);
}

TEST(Agreement, OtherWeightsAreNoticed) {
  EXPECT_NO_THROW(check_same_weights(*ranks, "same"));
  if (ranks->alone()) return;
  EXPECT_THROW(check_same_weights(*ranks, ranks->first() ? "one" : "another"), NumericalError);
}

}  // namespace
}  // namespace unchannel

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  unchannel::ranks = unchannel::open_ranks();
  const int result = RUN_ALL_TESTS();
  return unchannel::ranks->leave(30.0) ? result : 1;
}
