#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/verification/gaussian_channel.hpp>
#include <unchannel/verification/scheme.hpp>
#include <unchannel/verification/tensors.hpp>

namespace unchannel::verification {
namespace {

theory::Gaussian correlated() {
  theory::Gaussian law{theory::Vector(2), theory::Matrix(2, 2)};
  law.mean_D << 1.0, -2.0;
  law.covariance_DD << 2.0, 0.6, 0.6, 0.5;
  return law;
}

TEST(StandardisedDraws, HaveTheMomentsOfTheirLaw) {
  const theory::Gaussian law = correlated(), drawn = moments_of(standardised_draws(law, 1000, RandomKey(1)));
  // Rounding to float32 moves each draw by 2⁻²⁴ of its size.
  EXPECT_LT((drawn.mean_D - law.mean_D).cwiseAbs().maxCoeff(), 1e-6);
  EXPECT_LT((drawn.covariance_DD - law.covariance_DD).cwiseAbs().maxCoeff(), 1e-6);
}

TEST(GaussianChannel, HasTheMomentsOfTheTheorysObservations) {
  theory::LinearChannel law{theory::Matrix(2, 2), theory::Matrix(2, 2)};
  law.operator_DD << 1.0, 0.3, -0.2, 0.7;
  law.noise_DD << 0.5, -0.2, -0.2, 0.3;
  const std::int64_t rows = 200000;
  const auto channel = make_gaussian_channel(law);
  const at::Tensor x_ND = standardised_draws(correlated(), rows, RandomKey(2));
  const theory::Gaussian seen = moments_of(channel->simulate(x_ND, {}, RandomKey(3), at::arange(rows, at::kLong))), expected = law.observe(correlated());
  // Five standard errors: √(C/N) of a mean, at most √2 C/√N of a covariance.
  const double scale = expected.covariance_DD.maxCoeff(), root = std::sqrt(static_cast<double>(rows));
  EXPECT_LT((seen.mean_D - expected.mean_D).cwiseAbs().maxCoeff(), 5 * std::sqrt(scale) / root);
  EXPECT_LT((seen.covariance_DD - expected.covariance_DD).cwiseAbs().maxCoeff(), 5 * std::sqrt(2.0) * scale / root);
}

TEST(Schemes, EmIsThereForWhiteNoiseOnlyAndTheOdeBesideAnSde) {
  theory::GaussianProblem problem{correlated(), correlated(), {theory::Matrix::Identity(2, 2), 0.5 * theory::Matrix::Identity(2, 2)}, theory::TransportRule::linear(0.1)};
  const auto names = [&](const std::string& interpolant, double epsilon, const std::string& word = "") {
    theory::TheorySettings settings;
    settings.interpolant = interpolant;
    settings.epsilon = epsilon;
    settings.epsilon_word = word;
    std::string text;
    for (const Scheme& scheme : schemes_of(problem, settings, 64)) text += scheme.name + " ";
    return text;
  };
  EXPECT_EQ(names("linear", 0.1), "configured ode em ");
  EXPECT_EQ(names("linear", 0.0), "configured em ");
  EXPECT_EQ(names("linear", 0.0, "em"), "configured ode ");
  problem.channel.operator_DD(0, 1) = 0.2;
  EXPECT_EQ(names("stochastic", 0.1), "configured ode ");
  EXPECT_THROW(names("linear", 0.1), ConfigError);
  EXPECT_THROW(names("linear", 0.0, "em"), ConfigError);
  EXPECT_THROW(names("fokker_planck", 0.0), ConfigError);
}

}  // namespace
}  // namespace unchannel::verification
