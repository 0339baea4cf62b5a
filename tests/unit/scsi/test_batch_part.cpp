#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include <set>
#include <vector>

#include <unchannel/scsi/training_batch.hpp>

namespace unchannel {
namespace {

std::vector<std::int64_t> numbers(const at::Tensor& values) {
  const at::Tensor flat = values.contiguous();
  return {flat.const_data_ptr<std::int64_t>(), flat.const_data_ptr<std::int64_t>() + flat.numel()};
}

struct Shape {
  std::int64_t batch, resamples, groups;
};
constexpr Shape kShapes[] = {{64, 2, 8}, {64, 2, 16}, {12, 3, 4}, {10, 4, 5}, {128, 1, 8}, {9, 8, 8}};

TEST(BatchPart, RanksTogetherHaveEveryRowOfEveryGroupOnce) {
  for (const Shape& shape : kShapes) {
    const std::int64_t rows = shape.batch * shape.resamples;
    for (const int ranks : {2, 3, 4}) {
      std::multiset<std::int64_t> all;
      for (int rank = 0; rank < ranks; ++rank) {
        const BatchPart part = BatchPart::of(shape.batch, rows, shape.groups, 5, {rank, ranks});
        const at::Tensor row_GN = part.row_B.view({shape.groups, -1});
        const at::Tensor whole_GN = BatchPart::of(shape.batch, rows, shape.groups, 5, {}).row_B.view({shape.groups, -1});
        for (std::int64_t group = 0; group < shape.groups; ++group) {  // a row keeps its group, and with it its time
          EXPECT_TRUE(at::isin(row_GN[group], whole_GN[group]).all().item<bool>());
        }
        for (const std::int64_t row : numbers(part.row_B)) all.insert(row);
      }
      EXPECT_EQ(all.size(), static_cast<std::size_t>(rows));
      EXPECT_EQ(std::set<std::int64_t>(all.begin(), all.end()).size(), all.size());
    }
  }
}

TEST(BatchPart, SlotsLeadToTheSignalOfEachRow) {
  for (const Shape& shape : kShapes) {
    const BatchPart part = BatchPart::of(shape.batch, shape.batch * shape.resamples, shape.groups, 3, {1, 2});
    EXPECT_TRUE(at::equal(part.pair_S.index_select(0, part.slot_B), part.row_B.remainder(shape.batch)));
  }
}

TEST(BatchPart, EachSignalIsSimulatedByOneRankWhereTheGroupsDivideTheBatch) {
  for (const int ranks : {2, 4}) {
    std::int64_t simulated = 0;
    for (int rank = 0; rank < ranks; ++rank) simulated += BatchPart::of(64, 128, 8, 0, {rank, ranks}).pairs(64);
    EXPECT_EQ(simulated, 64);
  }
}

TEST(BatchPart, OneRankHasAllWithoutACopy) {
  const BatchPart part = BatchPart::of(12, 24, 4, 1, {});
  EXPECT_FALSE(part.pair_S.defined());
  EXPECT_EQ(part.pairs(12), 12);
  EXPECT_TRUE(at::equal(part.slot_B, part.row_B.remainder(12)));
}

}  // namespace
}  // namespace unchannel
