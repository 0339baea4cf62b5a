#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/scsi/pool.hpp>

namespace unchannel {
namespace {

ObservationBatch batch_of(float value, std::int64_t rows) {
  ObservationBatch batch;
  batch.lifted_BD = at::full({rows, 2}, value);
  batch.rows.assign(static_cast<std::size_t>(rows), static_cast<std::uint64_t>(value));
  batch.latents["snr"] = at::full({rows}, value);
  return batch;
}

TEST(Pool, ReplacesTheOldestAndKeepsPairsTogether) {
  Pool pool(5);
  pool.add(batch_of(1, 3), at::full({3, 2}, 1.0F));
  EXPECT_EQ(pool.size(), 3);
  pool.add(batch_of(2, 4), at::full({4, 2}, 2.0F));  // wraps: slots 3, 4, 0, 1
  EXPECT_EQ(pool.size(), 5);
  const at::Tensor all = at::arange(5, at::kLong);
  const at::Tensor expected = at::tensor({2.0F, 2.0F, 1.0F, 2.0F, 2.0F});
  EXPECT_TRUE(at::equal(pool.signals(all).select(1, 0), expected));
  EXPECT_TRUE(at::equal(pool.observations(all).select(1, 0), expected));
  EXPECT_TRUE(at::equal(pool.latents(all).at("snr"), expected));
  EXPECT_TRUE(at::equal(pool.rows(all), expected.to(at::kLong)));
}

TEST(Pool, OverRelaxationGoesOnFromTheNewestSignalOfTheSameObservation) {
  Pool pool(4);
  pool.add(batch_of(7, 1), at::full({1, 2}, 1.0F));
  pool.add(batch_of(7, 1), at::full({1, 2}, 2.0F));  // newer
  pool.add(batch_of(8, 1), at::full({1, 2}, 5.0F));
  const at::Tensor moved = pool.over_relaxed(batch_of(7, 1), at::full({1, 2}, 3.0F), 0.5);
  EXPECT_TRUE(at::equal(moved, at::full({1, 2}, 3.5F)));
  EXPECT_TRUE(at::equal(pool.over_relaxed(batch_of(9, 1), at::full({1, 2}, 3.0F), 0.5), at::full({1, 2}, 3.0F))) << "never seen before";
}

TEST(Pool, IsRestoredWithItsPlaceInTheRing) {
  Pool pool(4);
  pool.add(batch_of(1, 4), at::full({4, 2}, 1.0F));
  pool.add(batch_of(2, 1), at::full({1, 2}, 2.0F));
  Pool copy;
  copy.restore(pool.tensors());
  pool.add(batch_of(3, 2), at::full({2, 2}, 3.0F));
  copy.add(batch_of(3, 2), at::full({2, 2}, 3.0F));
  const at::Tensor all = at::arange(4, at::kLong);
  EXPECT_TRUE(at::equal(pool.signals(all), copy.signals(all)));
  EXPECT_TRUE(at::equal(pool.latents(all).at("snr"), copy.latents(all).at("snr")));
}

}  // namespace
}  // namespace unchannel
