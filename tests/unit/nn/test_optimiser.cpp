#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <unchannel/base/error.hpp>
#include <unchannel/nn/optimiser.hpp>
#include <unchannel/nn/weight_kernel.hpp>

namespace unchannel {
namespace {

/// One parameter, for comparison with arithmetic by hand.
class OneParameter final : public Network {
 public:
  explicit OneParameter(double value) : value_(at::full({1}, value, at::kFloat)) {}
  at::Tensor forward(const NetworkInput&) override { return value_; }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return {{"value", value_}}; }
  at::Tensor value_;
};

/// The tensor library's way is what runs on a GPU; here it runs on the CPU.
class BothWays : public testing::TestWithParam<UpdateBy> {};

TEST_P(BothWays, FollowAdamByHand) {
  OptimiserSettings settings;
  settings.learning_rate = 0.1;
  settings.warm_up_share = 0.0;
  settings.final_learning_rate_share = 1.0;
  settings.clip_norm = 0.5;
  settings.ema_horizon_steps = 1.5;
  OneParameter student(1.0), ema(1.0);
  student.value_.set_requires_grad(true);
  Optimiser optimiser(settings, student, ema, GetParam());
  double value = 1.0, first = 0.0, second = 0.0, average = 1.0;
  for (int step = 0; step < 5; ++step) {
    const double gradient = std::min(2.0 * value, 0.5);
    (student.value_ * student.value_).sum().backward();
    EXPECT_NEAR(optimiser.step(step, 5), 2.0 * value, 1e-5);
    first = settings.beta1 * first + (1.0 - settings.beta1) * gradient;
    second = settings.beta2 * second + (1.0 - settings.beta2) * gradient * gradient;
    const double corrected_first = first / (1.0 - std::pow(settings.beta1, step + 1));
    const double corrected_second = second / (1.0 - std::pow(settings.beta2, step + 1));
    value -= 0.1 * corrected_first / (std::sqrt(corrected_second) + 1e-8);
    average += (value - average) / std::min(1.5, 1.0 + 0.5 * step);
    EXPECT_NEAR(student.value_.item<double>(), value, 1e-5) << step;  // float32 accumulated over five steps
    EXPECT_NEAR(ema.value_.item<double>(), average, 1e-5) << step;
    EXPECT_FALSE(student.value_.grad().defined());
  }
}

INSTANTIATE_TEST_SUITE_P(Optimiser, BothWays, testing::Values(UpdateBy::kKernel, UpdateBy::kTensorLibrary));

/// Parameters of several shapes and layouts, longer than one task and not a multiple of any vector.
class SomeParameters final : public Network {
 public:
  SomeParameters() {
    at::manual_seed(1);
    values_ = {at::randn({70001}), at::randn({5, 7, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast), at::randn({3, 4, 1, 1}), at::randn({1})};
  }
  at::Tensor forward(const NetworkInput&) override { return values_.front(); }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    std::vector<std::pair<std::string, at::Tensor>> list;
    for (const at::Tensor& value : values_) list.emplace_back(fmt::format("value{}", list.size()), value);
    return list;
  }
  std::vector<at::Tensor> values_;
};

/// Each update again by the tensor library's fused Adam and lerp, on contiguous copies.
struct LibraryAdam {
  explicit LibraryAdam(const SomeParameters& network) {
    for (const at::Tensor& value : network.values_) {
      weights.push_back(value.detach().contiguous().clone());
      averages.push_back(weights.back().clone());
      first.push_back(at::zeros_like(weights.back()));
      second.push_back(at::zeros_like(weights.back()));
      updates.push_back(at::zeros({}, at::kFloat));
    }
  }

  void step(const OptimiserSettings& settings, const std::vector<at::Tensor>& gradients, double norm, std::int64_t step, std::int64_t total) {
    const double scale = norm > settings.clip_norm ? settings.clip_norm / norm : 1.0;
    std::vector<at::Tensor> scaled;
    for (const at::Tensor& gradient : gradients) scaled.push_back(gradient.contiguous() * scale);
    at::_foreach_add_(updates, 1.0);
    at::_fused_adam_(weights, scaled, first, second, {}, updates, learning_rate_at(settings, step, total), settings.beta1, settings.beta2, 0.0, 1e-8,
                     false, false);
    at::_foreach_lerp_(averages, weights, 1.0 / std::min(settings.ema_horizon_steps, 1.0 + 0.5 * static_cast<double>(step)));
  }

  std::vector<at::Tensor> weights, averages, first, second, updates;
};

TEST(Optimiser, DoesWhatTheLibrarysAdamAndLerpDo) {
  const OptimiserSettings settings;
  SomeParameters student, ema;
  Optimiser optimiser(settings, student, ema);
  LibraryAdam library(student);
  for (int step = 0; step < 4; ++step) {
    std::vector<at::Tensor> gradients;
    double squares = 0.0;
    for (at::Tensor& value : student.values_) {
      // Norms above and below the clipping; planes-first gradients of planes-last weights too.
      gradients.push_back(at::randn(value.sizes()) * (step % 2 == 0 ? 1.0 : 1e-4));
      value.mutable_grad() = step < 2 ? gradients.back() : at::empty_like(value).copy_(gradients.back());
      squares += gradients.back().to(at::kDouble).square().sum().item<double>();
    }
    const double norm = optimiser.step(step, 8);
    EXPECT_NEAR(norm, std::sqrt(squares), 1e-6 * norm);
    library.step(settings, gradients, norm, step, 8);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      // A step moves a weight of order one by 5e-4 at most: three roundings of 6e-8 each, and those of the step itself.
      const auto near = [](const at::Tensor& got, const at::Tensor& expected) { return at::allclose(got, expected, 1e-6, 3e-7); };
      EXPECT_TRUE(near(student.values_[i], library.weights[i])) << step << ' ' << i;
      EXPECT_TRUE(near(ema.values_[i], library.averages[i])) << step << ' ' << i;
      EXPECT_TRUE(near(optimiser.first_moments()[i], library.first[i])) << step << ' ' << i;
      EXPECT_TRUE(at::allclose(optimiser.second_moments()[i], library.second[i], 1e-5, 1e-20)) << step << ' ' << i;
    }
  }
}

void expect_adam(const WeightKernel& kernel) {
  constexpr std::int64_t kCount = 1003;
  at::manual_seed(2);
  const at::Tensor gradient = at::randn({kCount}), before = at::randn({4, kCount}).abs();
  at::Tensor after = before.clone();
  const AdamConstants k = {.gradient_scale = 0.5F, .beta1 = 0.9F, .beta2 = 0.99F, .share1 = 0.1F, .share2 = 0.01F, .rate = 0.1F,
                           .root_correction = 2.0F, .epsilon = 1e-8F, .average_share = 0.25F};
  const auto row = [&](std::int64_t i) { return after[i].mutable_data_ptr<float>(); };
  kernel.adam(kCount, k, gradient.const_data_ptr<float>(), row(0), row(1), row(2), row(3));
  const at::Tensor g = gradient.to(at::kDouble) * 0.5, was = before.to(at::kDouble);
  const at::Tensor first = 0.9 * was[1] + 0.1 * g, second = 0.99 * was[2] + 0.01 * g * g;
  const at::Tensor weight = was[0] - 0.1 * first / (2.0 * second.sqrt() + 1e-8), average = was[3] + 0.25 * (weight - was[3]);
  // A handful of float32 operations on values of order one; small second moments make steps of some ten.
  EXPECT_TRUE(at::allclose(after.to(at::kDouble), at::stack({weight, first, second, average}), 1e-5, 1e-6));
  EXPECT_NEAR(kernel.squares(kCount, gradient.const_data_ptr<float>()), gradient.to(at::kDouble).square().sum().item<double>(), 1e-6 * kCount);
}

TEST(WeightKernel, FollowsItsFormulasInEveryVersion) {
  expect_adam(kernel_portable::weight_kernel);
  expect_adam(weight_kernel());
}

TEST(Optimiser, RefusesANonFiniteGradientAndLeavesTheWeights) {
  OneParameter student(1.0), ema(1.0);
  student.value_.set_requires_grad(true);
  Optimiser optimiser(OptimiserSettings{}, student, ema);
  (student.value_ * std::numeric_limits<float>::infinity()).sum().backward();
  EXPECT_THROW(optimiser.step(0, 10), NumericalError);
  EXPECT_EQ(student.value_.item<float>(), 1.0F);
}

TEST(LearningRate, RisesLinearlyAndEndsAtItsFinalShare) {
  OptimiserSettings settings;
  settings.learning_rate = 1.0;
  settings.warm_up_share = 0.1;
  settings.final_learning_rate_share = 0.05;
  EXPECT_LT(learning_rate_at(settings, 0, 1000), 0.02);
  EXPECT_NEAR(learning_rate_at(settings, 50, 1000), 51.0 / 101.0, 1e-12);
  EXPECT_NEAR(learning_rate_at(settings, 100, 1000), 1.0, 1e-12);
  EXPECT_NEAR(learning_rate_at(settings, 1000, 1000), 0.05, 1e-12);
}

}  // namespace
}  // namespace unchannel
