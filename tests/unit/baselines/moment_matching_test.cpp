#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/baselines/moment_matching.hpp>

#include "gaussian_prior.hpp"

// Shape legend: B samples · D signal elements
namespace unchannel::baselines {
namespace {

using namespace baselines_test;

constexpr std::int64_t kD = 6;
constexpr double kSigma = 0.3, kGain = 1.3;

/// Mean and covariance of x given y = g H x + 0.5 + σ n and, for t < 1, x_t: products of Gaussian densities, in float64.
struct Posterior {
  at::Tensor mean_D, covariance_DD;

  Posterior(const GaussianPrior& prior, const at::Tensor& y_D, double t = 1.0, const at::Tensor& x_D = {}) {
    const at::Tensor A = kGain * gaussian_line_spread(kD, 3.0).matrix_MD.to(at::kFloat).to(at::kDouble);
    const at::Tensor inverse = at::linalg_inv(prior.covariance_DD);
    at::Tensor precision = inverse + at::matmul(A.t(), A) / (kSigma * kSigma);
    at::Tensor right = at::matmul(inverse, prior.mean_D) + at::matmul(A.t(), y_D - 0.5) / (kSigma * kSigma);
    if (t < 1.0) {
      precision = precision + ((1 - t) * (1 - t) / (t * t)) * prior.identity();
      right = right + ((1 - t) / (t * t)) * x_D;
    }
    covariance_DD = at::linalg_inv(precision);
    mean_D = at::matmul(covariance_DD, right);
  }
};

struct Case {
  GaussianPrior prior = smooth_prior(kD);
  BlurChannel channel{kD, 3.0, kSigma};
  at::Tensor y_D = normals(1, kD, 7)[0] + 1.0;
  MmpsOptions options{.noise_sigma = kSigma, .steps = 256, .iterations = 4 * kD, .tolerance = 1e-6};

  Measured measured(std::int64_t rows) const {
    return Measured(channel, {{"gain", at::full({rows}, kGain, at::kFloat)}}, y_D.unsqueeze(0).expand({rows, kD}));
  }
  /// The sampler of a Gaussian is an affine map x = offset + M z, known from D + 1 draws.
  Posterior sampled(std::int64_t steps, double guidance = 1.0) const {
    MmpsOptions how = options;
    how.steps = steps;
    how.guidance = guidance;
    const at::Tensor z_BD = at::cat({at::zeros({1, kD}, at::kFloat), at::eye(kD, at::kFloat)});
    const at::Tensor x_BD = sample_mmps(prior.conditional_mean(), measured(kD + 1), how, z_BD).to(at::kDouble);
    Posterior result(prior, y_D);
    result.mean_D = x_BD[0];
    const at::Tensor map_DD = (x_BD.slice(0, 1) - x_BD[0]).t();
    result.covariance_DD = at::matmul(map_DD, map_DD.t());
    return result;
  }
};

TEST(MomentMatching, ConditionalMeanOfAGaussianIsExactAtEveryTime) {
  const Case c;
  const at::Tensor x_BD = normals(3, kD, 8);
  for (const double t : {0.05, 0.5, 0.95}) {
    const at::Tensor got = matched_mean(c.prior.conditional_mean(), c.measured(3), c.options, t, x_BD.to(at::kFloat)).to(at::kDouble);
    for (std::int64_t b = 0; b < 3; ++b) {
      // float32 sums of order ten through a system of condition 1 + g² λ / σ² ≤ 100: a few 1e-5.
      EXPECT_LT(largest(got[b] - Posterior(c.prior, c.y_D, t, x_BD[b]).mean_D), 3e-4) << t;
    }
  }
}

TEST(MomentMatching, SamplerOfAGaussianHasTheExactPosteriorsMeanAndCovariance) {
  const Case c;
  const Posterior exact(c.prior, c.y_D), coarse = c.sampled(64), fine = c.sampled(128), finest = c.sampled(256);
  const auto error = [&](const Posterior& got) {
    return std::max(largest(got.mean_D - exact.mean_D), largest(got.covariance_DD - exact.covariance_DD));
  };
  // Second order: half the step, a quarter of the error; a third leaves room for the next order.
  EXPECT_LT(error(fine), error(coarse) / 3);
  // The next halving is extrapolated from the last two errors, float32 added.
  EXPECT_LT(error(finest), error(fine) / 3 + 1e-4);
  EXPECT_LT(error(finest), 1e-3);
}

TEST(MomentMatching, WithoutGuidanceTheSamplerIsTheGenerator) {
  const Case c;
  const Posterior got = c.sampled(256, 0.0);
  EXPECT_LT(largest(got.mean_D - c.prior.mean_D), 1e-2);
  EXPECT_LT(largest(got.covariance_DD - c.prior.covariance_DD), 1e-2);
}

TEST(MomentMatching, HiddenElementsOfAnObservationDoNotMatter) {
  const GaussianPrior prior = smooth_prior(kD);
  const HidingChannel channel(kD);
  at::Tensor mask_BD = at::ones({2, kD}, at::kFloat), y_BD = normals(1, kD, 9).expand({2, kD}).clone();
  mask_BD.slice(1, 0, 3).zero_();
  y_BD[1].slice(0, 0, 3) += 100.0;
  const MmpsOptions options{.noise_sigma = 0.01, .steps = 64};
  const at::Tensor z_BD = normals(1, kD, 10).expand({2, kD}).to(at::kFloat).contiguous();
  const at::Tensor x_BD = sample_mmps(prior.conditional_mean(), Measured(channel, {{"gain", mask_BD}}, y_BD), options, z_BD);
  EXPECT_LT(largest(x_BD[0] - x_BD[1]), 1e-5);
  // Seen with noise 0.01, kept that near to the observation: five standard deviations.
  EXPECT_LT(largest(x_BD[0].slice(0, 3) - y_BD[0].slice(0, 3)), 0.05);
}

TEST(MomentMatching, AMeanWhoseJacobianIsNoCovarianceIsLeftAsItIs) {
  const Case c;
  const auto contrary = [](double, const at::Tensor& x_BD) { return x_BD * -50.0; };  // σ² + A V Aᵀ < 0
  const at::Tensor x_BD = normals(2, kD, 13).to(at::kFloat);
  EXPECT_EQ(largest(matched_mean(contrary, c.measured(2), c.options, 0.5, x_BD) - contrary(0.5, x_BD)), 0.0);
}

TEST(MomentMatching, ASlightlyWrongNetworkMovesTheDrawsSlightly) {
  const Case c;
  // An error of J of two hundredths, not symmetric, which t² / (1 − t) makes larger than the covariance itself near t = 1.
  const at::Tensor wrong_DD = 0.02 * normals(kD, kD, 14).to(at::kFloat);
  const ConditionalMean exact = c.prior.conditional_mean();
  const auto nearly = [&](double t, const at::Tensor& x_BD) { return exact(t, x_BD) + at::matmul(x_BD * (t * t), wrong_DD); };
  const at::Tensor z_BD = normals(500, kD, 15).to(at::kFloat);
  const at::Tensor good_BD = sample_mmps(exact, c.measured(500), c.options, z_BD);
  const at::Tensor got_BD = sample_mmps(nearly, c.measured(500), c.options, z_BD);
  // Draws have deviations up to one; a tenth of it in the mean square, and no draw beyond the prior's range.
  EXPECT_LT((got_BD - good_BD).square().mean().sqrt().item<double>(), 0.1);
  EXPECT_LT(largest(got_BD - good_BD), 2.0);
}

TEST(MomentMatching, RefusesWhatItCannotDo) {
  const Case c;
  const at::Tensor z_BD = at::zeros({1, kD}, at::kFloat);
  MmpsOptions options = c.options;
  options.noise_sigma = 0.0;
  EXPECT_THROW(sample_mmps(c.prior.conditional_mean(), c.measured(1), options, z_BD), ConfigError);
  const BlurChannel curved(kD, 3.0, kSigma, /*square=*/true);
  const Measured measured(curved, {{"gain", at::ones({1}, at::kFloat)}}, at::zeros({1, kD}));
  EXPECT_THROW(sample_mmps(c.prior.conditional_mean(), measured, c.options, z_BD), ConfigError);
}

}  // namespace
}  // namespace unchannel::baselines
