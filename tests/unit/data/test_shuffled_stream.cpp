#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include <unchannel/base/error.hpp>
#include <unchannel/data/shuffled_stream.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "child_process.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::TempDir;
using test_support::thrown_message;

// Row r holds r in every element, so rows and indices can be compared.
void write_numbered(const std::filesystem::path& path, std::uint64_t rows, std::uint64_t dim) {
  DatasetWriter writer(path, DatasetKind::observations, {dim});
  const std::uint64_t block_rows = std::min<std::uint64_t>(rows, 512);
  std::vector<float> block;
  std::vector<std::int64_t> latent;
  for (std::uint64_t first = 0; first < rows; first += block_rows) {
    const std::uint64_t count = std::min(block_rows, rows - first);
    block.resize(count * dim);
    latent.resize(count);
    for (std::uint64_t k = 0; k < count; ++k) {
      std::fill_n(block.begin() + static_cast<std::ptrdiff_t>(k * dim), dim, static_cast<float>(first + k));
      latent[k] = static_cast<std::int64_t>(first + k);
    }
    writer.append(block);
    writer.append_latent("number", {}, std::span<const std::int64_t>(latent));
  }
  writer.close();
}

std::vector<std::uint64_t> take(ShuffledStream& stream, std::uint64_t count, std::uint64_t batch_size) {
  std::vector<std::uint64_t> indices;
  while (indices.size() < count) {
    const StreamBatch batch = stream.next_batch(std::min<std::uint64_t>(batch_size, count - indices.size()));
    indices.insert(indices.end(), batch.indices.begin(), batch.indices.end());
  }
  return indices;
}

TEST(ShuffledStream, DeliversEveryRowOncePerEpochWithItsOwnLatents) {
  const TempDir folder;
  write_numbered(folder / "a.h5", 1003, 16);
  const DatasetReader reader(folder / "a.h5");
  for (const std::uint64_t buffer : {1ull << 20, 20'000ull, 2'000ull, 100ull}) {  // one window; many; blocks of one row; one row at a time
    ShuffledStream stream(reader, {.key = 7, .max_buffer_bytes = buffer, .latents = {"number"}, .subset = {}});
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::set<std::uint64_t> seen;
      for (int k = 0; k < 17; ++k) {
        const StreamBatch batch = stream.next_batch(59);  // 17 · 59 = 1003
        for (std::size_t row = 0; row < 59; ++row) {
          seen.insert(batch.indices[row]);
          ASSERT_EQ(batch.rows[row * 16 + 15], static_cast<float>(batch.indices[row]));
          ASSERT_EQ(std::get<std::vector<std::int64_t>>(batch.latents.at("number"))[row], static_cast<std::int64_t>(batch.indices[row]));
        }
      }
      EXPECT_EQ(seen.size(), 1003u) << buffer;
    }
  }
}

TEST(ShuffledStream, OrderDependsOnKeyAndEpochOnlyNotOnBatchSizes) {
  const TempDir folder;
  write_numbered(folder / "a.h5", 500, 4);
  const DatasetReader reader(folder / "a.h5");
  const StreamOptions options{.key = 1, .max_buffer_bytes = 3'000, .latents = {}, .subset = {}};
  ShuffledStream a(reader, options), b(reader, options);
  const auto first = take(a, 1000, 13);
  EXPECT_EQ(first, take(b, 1000, 200));
  EXPECT_FALSE(std::equal(first.begin(), first.begin() + 500, first.begin() + 500));
  StreamOptions other = options;
  other.key = 2;
  ShuffledStream c(reader, other);
  EXPECT_NE(first, take(c, 1000, 13));
}

TEST(ShuffledStream, ResumesBitExactlyFromAnyPosition) {
  const TempDir folder;
  write_numbered(folder / "a.h5", 300, 4);
  const DatasetReader reader(folder / "a.h5");
  const StreamOptions options{.key = 5, .max_buffer_bytes = 2'500, .latents = {}, .subset = {}};
  ShuffledStream whole(reader, options);
  const auto all = take(whole, 900, 900);
  for (const std::uint64_t stop : {0u, 1u, 89u, 299u, 300u, 301u, 650u}) {
    ShuffledStream before(reader, options);
    take(before, stop, 7);
    const std::string saved = nlohmann::json(before.position()).dump();
    ShuffledStream after(reader, options);
    after.restore(nlohmann::json::parse(saved).get<StreamPosition>());
    EXPECT_EQ(take(after, 900 - stop, 11), std::vector<std::uint64_t>(all.begin() + static_cast<std::ptrdiff_t>(stop), all.end())) << stop;
  }
}

TEST(ShuffledStream, PositionOfOtherDataOrDamagedPositionIsRefused) {
  const TempDir folder;
  write_numbered(folder / "a.h5", 30, 4);
  const DatasetReader reader(folder / "a.h5");
  ShuffledStream a(reader, {.key = 5, .latents = {}, .subset = {}}), b(reader, {.key = 6, .latents = {}, .subset = {}});
  EXPECT_THROW(b.restore(a.position()), ConfigError);
  StreamPosition bad = a.position();
  bad.window = 1;
  EXPECT_THROW(a.restore(bad), ConfigError);
  EXPECT_THROW(nlohmann::json::parse("{\"epoch\": \"x\"}").get<StreamPosition>(), DataError);
}

TEST(ShuffledStream, SubsetsStayDisjoint) {
  const TempDir folder;
  write_numbered(folder / "a.h5", 100, 4);
  const DatasetReader reader(folder / "a.h5");
  StreamOptions options;
  for (std::uint64_t row = 3; row < 100; row += 3) options.subset.push_back(row);
  ShuffledStream stream(reader, options);
  for (const std::uint64_t row : take(stream, 99, 10)) EXPECT_EQ(row % 3, 0u);
  options.subset = {4, 2};
  EXPECT_THROW(ShuffledStream(reader, options), ConfigError);
  EXPECT_THROW(ShuffledStream(reader, {.max_buffer_bytes = 10, .latents = {}, .subset = {}}), ConfigError);
}

// With W of N rows in a window, neighbours of the file land at distances of the order of a window or more, and the place of
// a row in the epoch is uniform: the mean place of the first tenth of the file must be N/2 within 5 standard errors.
TEST(ShuffledStream, ManyWindowsStillMixTheWholeFile) {
  const TempDir folder;
  constexpr std::uint64_t kRows = 8192;
  write_numbered(folder / "a.h5", kRows, 4);
  const DatasetReader reader(folder / "a.h5");
  ShuffledStream stream(reader, {.key = 11, .max_buffer_bytes = 28 * 512, .latents = {}, .subset = {}});
  ASSERT_EQ(stream.rows_per_window(), 512u);
  const auto order = take(stream, kRows, 1000);
  double sum = 0;
  std::uint64_t neighbours = 0;
  for (std::uint64_t place = 0; place < kRows; ++place) {
    if (order[place] < kRows / 10) sum += static_cast<double>(place);
    if (place > 0 && order[place] == order[place - 1] + 1) ++neighbours;
  }
  constexpr double kCount = kRows / 10;
  // Blocks of 8 rows move together: 819 rows are about 102 independent places with deviation N/sqrt(12).
  EXPECT_NEAR(sum / kCount, kRows / 2.0, 5 * kRows / std::sqrt(12.0 * 102));
  EXPECT_LT(neighbours, 8192u / 512 * 30);  // a row's successor follows it with probability ≈ 1/512 · 7/8
}

TEST(ShuffledStream, FileThreeTimesLargerThanTheMemoryLimitStreams) {
  const TempDir folder;
  constexpr std::uint64_t kRows = 98'304, kDim = 2048;  // 768 MiB against 256 MiB of headroom
  write_numbered(folder / "big.h5", kRows, kDim);
  ASSERT_GE(std::filesystem::file_size(folder / "big.h5"), std::uintmax_t{768} << 20);
  const int status = test_support::run_in_child([&] {
    test_support::limit_resource(RLIMIT_AS, test_support::mapped_bytes() + (rlim_t{256} << 20));
    const DatasetReader reader(folder / "big.h5");
    ShuffledStream stream(reader, {.key = 3, .latents = {"number"}, .subset = {}});
    std::vector<bool> seen(kRows, false);
    std::uint64_t distinct = 0;
    for (std::uint64_t k = 0; k < kRows / 256; ++k) {
      for (const std::uint64_t row : stream.next_batch(256).indices) {
        if (!seen[row]) ++distinct;
        seen[row] = true;
      }
    }
    return distinct == kRows ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace unchannel
