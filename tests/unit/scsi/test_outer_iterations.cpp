#include <gtest/gtest.h>

#include <unchannel/scsi/outer_iterations.hpp>

namespace unchannel {
namespace {

ScsiSettings refreshed(std::int64_t every, std::int64_t rows, std::int64_t first) {
  ScsiSettings settings;
  settings.refresh_every = every;
  settings.refresh_rows = rows;
  settings.first_refresh = first;
  return settings;
}

TEST(OuterIterations, CountWhatTheTrainerRefreshes) {
  const ScsiSettings settings = refreshed(4, 64, 10);
  std::int64_t counted = 0;
  for (std::int64_t step = 0; step <= 50; ++step) {
    EXPECT_EQ(refreshes_between(settings, 0, step), counted) << step;
    EXPECT_DOUBLE_EQ(outer_iterations(settings, 256, step), static_cast<double>(counted) / 4);
    if (step >= settings.first_refresh && step % settings.refresh_every == 0) ++counted;  // Trainer::advance
  }
  EXPECT_EQ(refreshes_between(settings, 20, 50), refreshes_between(settings, 0, 50) - refreshes_between(settings, 0, 20));
}

TEST(OuterIterations, APoolSmallerThanARefreshIsRenewedOnce) { EXPECT_DOUBLE_EQ(outer_iterations(refreshed(1, 1000, 0), 40, 3), 3); }

TEST(OuterIterations, AreNoneOnFixedPairs) { EXPECT_EQ(outer_iterations(refreshed(0, 64, 0), 256, 1000), 0); }

}  // namespace
}  // namespace unchannel
