#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include <unchannel/nn/network.hpp>
#include <unchannel/scsi/training_batch.hpp>

namespace unchannel {
namespace {

ModelSettings committee_of(std::int64_t members) {
  ModelSettings settings;
  settings.members = members;
  return settings;
}

TEST(CommitteeShares, NoMemberLearnsFromARowThatItTransports) {
  const at::Tensor rows = at::arange(100, 1100, at::kLong);
  for (const std::int64_t members : {2, 3, 4, 7}) {
    const at::Tensor transporter = transporters_of(rows, committee_of(members));
    for (std::int64_t step = 0; step < 50; ++step) {
      const at::Tensor learner = learners_of(rows, step, committee_of(members));
      EXPECT_FALSE(learner.eq(transporter).any().item<bool>()) << members << " members, step " << step;
      EXPECT_TRUE(learner.ge(0).logical_and(learner.lt(members)).all().item<bool>());
    }
  }
}

TEST(CommitteeShares, EveryOtherMemberLearnsFromEachRowWithinMembersSteps) {
  constexpr std::int64_t kMembers = 4;
  const at::Tensor rows = at::arange(12, at::kLong);
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (std::int64_t step = 0; step < kMembers - 1; ++step) {
    const at::Tensor learner = learners_of(rows, step, committee_of(kMembers));
    for (std::int64_t i = 0; i < rows.size(0); ++i) seen.emplace(i, learner.data_ptr<std::int64_t>()[i]);
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(rows.size(0) * (kMembers - 1)));
}

TEST(CommitteeShares, ASingleNetworkHasNone) {
  const at::Tensor rows = at::arange(3, at::kLong);
  EXPECT_FALSE(learners_of(rows, 1, committee_of(1)).defined());
  EXPECT_FALSE(transporters_of(rows, committee_of(1)).defined());
}

}  // namespace
}  // namespace unchannel
