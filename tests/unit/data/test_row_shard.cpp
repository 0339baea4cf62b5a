#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include <unchannel/base/error.hpp>
#include <unchannel/data/partial_rows.hpp>
#include <unchannel/data/row_shard.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "thrown_message.hpp"

namespace unchannel {
namespace {

TEST(RowShard, PartsFollowOneAnotherWithoutGapAndBeginAtBlocks) {
  for (const std::uint64_t rows : {1U, 5U, 64U, 1000U}) {
    for (const std::uint64_t parts : {1U, 2U, 3U, 5U, 64U, 999U}) {
      if (parts > rows) continue;
      const std::uint64_t block = 8, blocks = (rows + block - 1) / block;
      std::uint64_t next = 0, least = rows, most = 0;
      for (std::uint64_t part = 1; part <= parts; ++part) {
        const RowShard shard = RowShard::parse(std::to_string(part) + "/" + std::to_string(parts), rows, block);
        EXPECT_EQ(shard.begin, next);
        EXPECT_TRUE(parts > blocks || shard.begin % block == 0) << shard.begin;
        next = shard.end;
        least = std::min(least, shard.end - shard.begin), most = std::max(most, shard.end - shard.begin);
      }
      EXPECT_EQ(next, rows);
      EXPECT_GE(least, 1U);
      EXPECT_LE(most, least + (parts <= blocks ? 2 * block : 1));  // the last block may be short
    }
  }
}

TEST(RowShard, RefusesWhatIsNoPartOfTheWhole) {
  for (const char* text : {"0/3", "4/3", "1", "1/", "/3", "-1/3", "1/3x", " 1/3", "99999999999999999999/1"}) {
    EXPECT_THROW(RowShard::parse(text, 10, 4), ConfigError) << text;
  }
}

TEST(RowShard, HandlesMoreRowsThanFitTheirProductWithThePart) {
  const std::uint64_t rows = std::uint64_t{1} << 62;
  const RowShard shard = RowShard::parse("4000000000/4000000000", rows, 1);
  EXPECT_EQ(shard.end, rows);
  EXPECT_LT(shard.begin, shard.end);
}

using test_support::thrown_message;

class PartialRowsTest : public ::testing::Test {
 protected:
  std::vector<float> kept(const PartialRows& rows) const {
    std::vector<float> all;
    rows.for_each_block([&](std::span<const float> values) { all.insert(all.end(), values.begin(), values.end()); });
    return all;
  }

  test_support::TempDir folder_;
  std::filesystem::path output_ = folder_.path() / "out.h5";
  nlohmann::json task_ = {{"key", 1}};
  std::vector<float> six_ = {1, 2, 3, 4, 5, 6};
};

TEST_F(PartialRowsTest, BlocksComeBackInTheNextProcess) {
  {
    PartialRows rows(output_, task_, 3, true);
    rows.append(six_, 1);
    rows.append(std::span(six_).first(3), 0);
  }
  const PartialRows rows(output_, task_, 3, true);
  EXPECT_EQ(rows.rows(), 3U);
  EXPECT_EQ(rows.failed(), 1U);
  EXPECT_EQ(kept(rows), (std::vector<float>{1, 2, 3, 4, 5, 6, 1, 2, 3}));
}

TEST_F(PartialRowsTest, ACutAtAnyByteLosesTheCutBlockOnly) {
  {
    PartialRows rows(output_, task_, 3, true);
    rows.append(six_, 0);
    rows.append(six_, 0);
  }
  const std::filesystem::path path = PartialRows::path_of(output_);
  const auto whole = std::filesystem::file_size(path), block = 16 + 64 + six_.size() * sizeof(float);
  for (std::uintmax_t size = whole - 1; size > 0; --size) {
    std::filesystem::resize_file(path, size);
    PartialRows rows(output_, task_, 3, true);
    EXPECT_EQ(rows.rows(), size + 2 * block < whole ? 0U : 2 * ((size + 2 * block - whole) / block)) << size;
  }
}

TEST_F(PartialRowsTest, AChangedByteEndsWhatIsTrusted) {
  {
    PartialRows rows(output_, task_, 3, true);
    rows.append(six_, 0);
    rows.append(six_, 0);
  }
  const std::filesystem::path path = PartialRows::path_of(output_);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('x');
  }
  EXPECT_EQ(PartialRows(output_, task_, 3, true).rows(), 2U);
}

TEST_F(PartialRowsTest, RefusesAnotherTaskAndASecondProcess) {
  {
    const PartialRows rows(output_, task_, 3, true);
    EXPECT_THROW(PartialRows(output_, task_, 3, true), DataError);
  }
  const std::string message = thrown_message<ConfigError>([&] { PartialRows(output_, {{"key", 2}}, 3, true); });
  EXPECT_NE(message.find("key is 1 there and 2 now"), std::string::npos) << message;
  EXPECT_EQ(PartialRows(output_, {{"key", 2}}, 3, false).rows(), 0U);  // anew
}

}  // namespace
}  // namespace unchannel
