// What every built-in channel promises: bits, derivatives, checks.
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>

#include "built_in_cases.hpp"

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel::test {
namespace {

class BuiltIn : public testing::TestWithParam<BuiltInCase> {
 protected:
  std::unique_ptr<Channel> channel_ = made(GetParam());
  at::Tensor x_BD_ = signal_rows(7, GetParam().shape);
  at::Tensor ids_B_ = id_range(1000, 7);
};

INSTANTIATE_TEST_SUITE_P(Channels, BuiltIn, testing::ValuesIn(built_in_cases()), [](const auto& instance) { return instance.param.name; });

TEST_P(BuiltIn, HasTheBitsOfItsSamplesForAnySplit) {
  ASSERT_EQ(channel_->determinism(), Determinism::kPerSample);
  Latents whole_latents;
  const at::Tensor whole = measure(*channel_, x_BD_, {}, RandomKey(3), ids_B_, &whole_latents);
  for (const std::int64_t size : {1, 3}) {
    std::vector<at::Tensor> parts;
    std::map<std::string, std::vector<at::Tensor>> latents;
    for (std::int64_t first = 0; first < 7; first += size) {
      const std::int64_t last = std::min<std::int64_t>(7, first + size);
      Latents used;
      parts.push_back(measure(*channel_, x_BD_.slice(0, first, last), {}, RandomKey(3), ids_B_.slice(0, first, last), &used));
      for (const auto& [name, values] : used) latents[name].push_back(values);
    }
    EXPECT_TRUE(at::equal(at::cat(parts), whole)) << "parts of " << size;
    for (const auto& [name, values] : latents) EXPECT_TRUE(at::equal(at::cat(values), whole_latents.at(name))) << name;
  }
}

TEST_P(BuiltIn, DrawsOtherNumbersForOtherKeysAndIds) {
  const at::Tensor one = measure(*channel_, x_BD_, {}, RandomKey(3), ids_B_);
  EXPECT_TRUE(at::equal(one, measure(*channel_, x_BD_, {}, RandomKey(3), ids_B_)));
  const bool same_key = at::equal(one, measure(*channel_, x_BD_, {}, RandomKey(4), ids_B_));
  const bool same_ids = at::equal(one, measure(*channel_, x_BD_, {}, RandomKey(3), id_range(2000, 7)));
  EXPECT_EQ(same_key, channel_->noise_free() && channel_->latents().empty());
  EXPECT_EQ(same_ids, same_key);
}

TEST_P(BuiltIn, LeavesTheSignalsAlone) {
  const at::Tensor before = x_BD_.clone();
  const at::Tensor y_BM = measure(*channel_, x_BD_, {}, RandomKey(3), ids_B_);
  y_BM.mul(2);
  EXPECT_TRUE(at::equal(x_BD_, before));
  EXPECT_FALSE(y_BM.is_alias_of(x_BD_));
}

TEST_P(BuiltIn, LiftsObservationsToTheShapeOfSignals) {
  Latents latents;
  const at::Tensor y_BM = measure(*channel_, x_BD_, {}, RandomKey(3), ids_B_, &latents);
  EXPECT_EQ(channel_->lift(y_BM, latents).sizes(), x_BD_.sizes());
}

TEST_P(BuiltIn, VjpIsTheTransposeOfItsMean) {
  if (!channel_->has_vjp()) GTEST_SKIP() << "has none";
  const Latents latents = channel_->draw_latents(RandomKey(5), ids_B_, x_BD_);
  // Every built-in with a vjp has a mean that is affine where signals lie within (-1, 1).
  const at::Tensor linear = channel_->mean(x_BD_, latents).sub(channel_->mean(at::zeros_like(x_BD_), latents));
  const at::Tensor v_BM = linear.add(0.3).sin().mul(2);
  const at::Tensor back_BD = channel_->vjp(x_BD_, latents, v_BM);
  const double left = linear.to(at::kDouble).mul(v_BM).sum().item<double>();
  const double right = back_BD.to(at::kDouble).mul(x_BD_).sum().item<double>();
  // About 2,000 products of order one, each with a few float32 roundings of 6e-8: 2000 × 1e-6 if all were alike, far less as they are not.
  EXPECT_NEAR(left, right, 1e-4 * std::max(1.0, std::abs(left) / 100));
  EXPECT_GT(std::abs(left), 1.0) << "the test compares nothing";
}

TEST_P(BuiltIn, LoglikHasTheGradientOfItsValue) {
  if (!channel_->has_loglik()) GTEST_SKIP() << "has none";
  Latents latents;
  const at::Tensor y_BM = measure(*channel_, x_BD_, {}, RandomKey(6), ids_B_, &latents);
  at::Tensor gradient_BD;
  const at::Tensor value_B = channel_->loglik(x_BD_, latents, y_BM, &gradient_BD);
  EXPECT_EQ(value_B.scalar_type(), at::kDouble);
  const at::Tensor direction_BD = x_BD_.mul(5).cos();
  const double step = 1e-3;
  const at::Tensor up = channel_->loglik(x_BD_.add(direction_BD, step), latents, y_BM, nullptr);
  const at::Tensor down = channel_->loglik(x_BD_.sub(direction_BD, step), latents, y_BM, nullptr);
  const at::Tensor slope = up.sub(down).div(2 * step), expected = gradient_BD.mul(direction_BD).to(at::kDouble).sum(1);
  // x ± step is rounded to float32: 6e-8 / 1e-3 of the slope of single elements (up to 1/σ² = 100 each, 288 of them, signs at random).
  const at::Tensor error = slope.sub(expected).abs().div(expected.abs().add(10));
  EXPECT_LT(error.max().item<double>(), 0.02) << slope << expected;
}

TEST_P(BuiltIn, RefusesWrongShapesAndTypes) {
  const Latents latents = channel_->draw_latents(RandomKey(5), ids_B_, x_BD_);
  EXPECT_THROW(channel_->simulate(x_BD_.slice(1, 1), latents, RandomKey(1), ids_B_), ShapeError);
  EXPECT_THROW(channel_->simulate(x_BD_, latents, RandomKey(1), ids_B_.slice(0, 1)), ShapeError);
  EXPECT_THROW(channel_->simulate(x_BD_.to(at::kDouble), latents, RandomKey(1), ids_B_), ShapeError);
  EXPECT_THROW(channel_->lift(at::zeros_like(x_BD_).slice(1, 1), latents), ShapeError);
  if (!latents.empty()) {
    EXPECT_THROW(channel_->simulate(x_BD_, {}, RandomKey(1), ids_B_), ShapeError);
  }
}

TEST_P(BuiltIn, NamesItsParametersInItsConfiguration) {
  const nlohmann::json record = channel_->configuration();
  EXPECT_EQ(record["id"], GetParam().id);
  EXPECT_EQ(record["kind"], "built-in");
  for (const auto& [name, value] : GetParam().parameters.items()) EXPECT_EQ(record["parameters"][name], value) << name;
  EXPECT_EQ(record.contains("latents"), !channel_->latents().empty());
}

TEST_P(BuiltIn, OffersWhatItsDescriptionSays) {
  const auto list = built_in_channels();
  const auto described = std::find_if(list.begin(), list.end(), [](const auto& channel) { return channel.id == GetParam().id; });
  ASSERT_NE(described, list.end());
  const auto says = [&](const char* capability) {
    return std::find(described->capabilities.begin(), described->capabilities.end(), capability) != described->capabilities.end();
  };
  EXPECT_EQ(channel_->has_vjp(), says(UNCHANNEL_VJP_1));
  EXPECT_TRUE(!channel_->has_mean() || says(UNCHANNEL_MEAN_1));
  EXPECT_TRUE(!channel_->has_loglik() || says(UNCHANNEL_LOGLIK_1));
  EXPECT_EQ(channel_->observation_shape() != channel_->signal_shape(), says(UNCHANNEL_LIFT_1));
}

}  // namespace
}  // namespace unchannel::test
