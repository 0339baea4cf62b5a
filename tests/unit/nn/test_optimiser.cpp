#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <unchannel/base/error.hpp>
#include <unchannel/nn/optimiser.hpp>

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

TEST(Optimiser, FollowsAdamByHand) {
  OptimiserSettings settings;
  settings.learning_rate = 0.1;
  settings.warm_up_share = 0.0;
  settings.final_learning_rate_share = 1.0;
  settings.clip_norm = 0.0;
  OneParameter student(1.0), ema(1.0);
  student.value_.set_requires_grad(true);
  Optimiser optimiser(settings, student, ema);
  double value = 1.0, first = 0.0, second = 0.0;
  for (int step = 0; step < 5; ++step) {
    const double gradient = 2.0 * value;
    (student.value_ * student.value_).sum().backward();
    optimiser.step(step, 5);
    first = settings.beta1 * first + (1.0 - settings.beta1) * gradient;
    second = settings.beta2 * second + (1.0 - settings.beta2) * gradient * gradient;
    const double corrected_first = first / (1.0 - std::pow(settings.beta1, step + 1));
    const double corrected_second = second / (1.0 - std::pow(settings.beta2, step + 1));
    value -= 0.1 * corrected_first / (std::sqrt(corrected_second) + 1e-8);
    EXPECT_NEAR(student.value_.item<double>(), value, 1e-5) << step;  // float32 accumulated over five steps
  }
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
