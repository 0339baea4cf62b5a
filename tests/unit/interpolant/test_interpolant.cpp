#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include <unchannel/base/error.hpp>
#include <unchannel/interpolant/interpolant.hpp>

#include "../transport/gaussian_path.hpp"

namespace unchannel {
namespace {

class Path : public testing::TestWithParam<const char*> {};

TEST_P(Path, JoinsSignalAndObservation) {
  const Interpolant interpolant(path_settings(GetParam()));
  at::manual_seed(3);
  const at::Tensor x = at::randn({1, 4, 6}), y = at::randn({1, 4, 6}), z = at::randn({1, 4, 6});
  // cos(π/2) and sin(π)² are zero up to rounding.
  EXPECT_LT((interpolant.mix(at::zeros({1}), x, y, z) - x).abs().max().item<float>(), 1e-6F);
  EXPECT_LT((interpolant.mix(at::ones({1}), x, y, z) - y).abs().max().item<float>(), 1e-6F);
}

TEST_P(Path, HasTheRatesOfItsSchedules) {
  const Interpolant interpolant(path_settings(GetParam()));
  constexpr double h = 1e-5;
  for (const double t : {0.2, 0.55, 0.9}) {
    const Schedule s = interpolant.at(t), after = interpolant.at(t + h), before = interpolant.at(t - h);
    // Central differences: h² times a third derivative below 1e3, and rounding 1e-16 / h.
    EXPECT_NEAR(s.alpha_rate, (after.alpha - before.alpha) / (2.0 * h), 1e-6);
    EXPECT_NEAR(s.beta_rate, (after.beta - before.beta) / (2.0 * h), 1e-6);
    EXPECT_NEAR(s.gamma_rate, (after.gamma - before.gamma) / (2.0 * h), 1e-6);
  }
}

TEST_P(Path, HasTheScoreOfItsLaw) {
  InterpolantSettings settings = path_settings(GetParam());
  if (settings.gamma == "none") settings.noise_sigma = 0.8;
  const GaussianPath path = gaussian_path(settings);
  const at::Tensor x = at::ones({1, 1}, at::kDouble);
  for (const double t : {0.1, 0.5, 0.9}) {
    EXPECT_NEAR(path.terms(t, x).negative_score_ND.item<double>(), 1.0 / path.law(t), 1e-9) << t;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Path, testing::Values("linear", "trigonometric", "polynomial", "fokker_planck", "quadratic", "sine_squared"));

TEST(Interpolant, DriftIsTheTimeDerivativeAlongAPath) {
  for (const char* name : {"linear", "trigonometric", "polynomial", "quadratic", "sine_squared"}) {
    const Interpolant interpolant(path_settings(name));
    at::manual_seed(3);
    const at::Tensor x = at::randn({1, 4, 6}, at::kDouble), y = at::randn({1, 4, 6}, at::kDouble), z = at::randn({1, 4, 6}, at::kDouble);
    const double t = 0.4, h = 1e-3;
    const auto at_time = [&](double time) {
      const Schedule s = interpolant.at(time);
      return s.alpha * x + s.beta * y + s.gamma * z;
    };
    const at::Tensor slope = (at_time(t + h) - at_time(t - h)) / (2.0 * h);
    // Central differences: h²/6 times a third derivative of at most a few hundred (sine_squared).
    EXPECT_LT((interpolant.drift(t, at_time(t), x, z) - slope).abs().max().item<double>(), 2e-4) << name;
  }
}

TEST(FokkerPlanckInterpolant, HasTheLawOfTheChannelAtEveryTime) {
  // X at time t² of dX = σ dW from x: variance σ² t², whatever share of it comes from the observation.
  const InterpolantSettings settings = path_settings("fokker_planck");
  const Interpolant interpolant(settings);
  for (const double t : {0.1, 0.5, 1.0}) {
    const Schedule s = interpolant.at(t);
    EXPECT_DOUBLE_EQ(s.alpha + s.beta, 1.0);
    const double noise = settings.noise_sigma * settings.noise_sigma;
    EXPECT_NEAR(s.beta * s.beta * noise + s.gamma * s.gamma, noise * t * t, 1e-12);
  }
}

TEST(InterpolantSettings, RefuseWhatContradictsItself) {
  const auto refuse = [](const std::function<void(InterpolantSettings&)>& change) {
    InterpolantSettings settings;
    change(settings);
    EXPECT_THROW(Interpolant{settings}, ConfigError);
  };
  refuse([](InterpolantSettings& s) { s.kind = "fokker_planck"; });
  refuse([](InterpolantSettings& s) { s.kind = "fokker_planck", s.noise_sigma = 1.0, s.gamma = "quadratic"; });
  refuse([](InterpolantSettings& s) { s.epsilon = 0.1; });
  refuse([](InterpolantSettings& s) { s.epsilon_schedule = "posterior"; });
  refuse([](InterpolantSettings& s) { s.epsilon_schedule = "posterior", s.noise_sigma = 1.0, s.kind = "trigonometric"; });
  refuse([](InterpolantSettings& s) { s.epsilon_schedule = "gamma", s.noise_sigma = 1.0, s.epsilon = 0.1; });
}

}  // namespace
}  // namespace unchannel
