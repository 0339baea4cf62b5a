#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/baselines/quasar_reference_set.hpp>

#include "blur_channel.hpp"

namespace unchannel::baselines {
namespace {

using baselines_test::normals;

constexpr std::int64_t kD = 12, kR = 3;

// Q nodes of random means and factors; more nodes than one block of the implementation when Q > 32.
NodePrior random_prior(std::int64_t nodes) {
  NodePrior prior;
  prior.dimension = kD;
  prior.rank = kR;
  double sum = 0;
  for (std::int64_t q = 0; q < nodes; ++q) sum += 1 + static_cast<double>(q % 3);
  for (std::int64_t q = 0; q < nodes; ++q) prior.weight.push_back((1 + static_cast<double>(q % 3)) / sum);
  prior.node = [](std::int64_t q, double* mean_D, double* factors_DR) {
    const at::Tensor mean = normals(1, kD, 100 + static_cast<std::uint64_t>(q)) + 5, factors = normals(kD, kR, 1000 + static_cast<std::uint64_t>(q));
    std::copy_n(mean.const_data_ptr<double>(), kD, mean_D);
    std::copy_n(factors.const_data_ptr<double>(), kD * kR, factors_DR);
  };
  return prior;
}

struct Node {
  at::Tensor mean, factors;
};

Node node_of(const NodePrior& prior, std::int64_t q) {
  Node node{at::empty({kD}, at::kDouble), at::empty({kD, kR}, at::kDouble)};
  prior.node(q, node.mean.mutable_data_ptr<double>(), node.factors.mutable_data_ptr<double>());
  return node;
}

struct Brute {
  at::Tensor mean_D;
  double variance = 0, log_evidence = 0;
};

// Dense Gaussian conditioning, node by node: covariances of the data, no eigenvectors, no streaming.
Brute brute_posterior(const NodePrior& prior, const AffineResponse& response, const at::Tensor& y_M, double sigma) {
  const std::int64_t M = y_M.size(0);
  const at::Tensor& H = response.matrix_MD;
  std::vector<double> log_joint;
  std::vector<at::Tensor> means, covariances;
  for (std::int64_t q = 0; q < prior.nodes(); ++q) {
    const Node node = node_of(prior, q);
    const at::Tensor C = at::matmul(node.factors, node.factors.t());
    const at::Tensor S = at::matmul(at::matmul(H, C), H.t()) + sigma * sigma * at::eye(M, at::kDouble);
    const at::Tensor residual = y_M - at::matmul(H, node.mean) - response.offset_M;
    const at::Tensor solved = at::linalg_solve(S, residual);
    const at::Tensor gain = at::matmul(at::matmul(C, H.t()), at::linalg_inv(S));
    means.push_back(node.mean + at::matmul(gain, residual));
    covariances.push_back(C - at::matmul(gain, at::matmul(H, C)));
    log_joint.push_back(std::log(prior.weight[static_cast<std::size_t>(q)]) -
                        0.5 * (residual.dot(solved).item<double>() + std::get<1>(at::linalg_slogdet(S)).item<double>() + static_cast<double>(M) * std::log(2 * M_PI)));
  }
  const at::Tensor joint = at::tensor(log_joint, at::kDouble);
  Brute result;
  result.log_evidence = joint.logsumexp({0}).item<double>();
  const at::Tensor share = (joint - result.log_evidence).exp();
  result.mean_D = at::zeros({kD}, at::kDouble);
  for (std::size_t q = 0; q < means.size(); ++q) result.mean_D += share[static_cast<std::int64_t>(q)] * means[q];
  for (std::size_t q = 0; q < means.size(); ++q)
    result.variance += share[static_cast<std::int64_t>(q)].item<double>() *
                       ((means[q] - result.mean_D).square().mean() + covariances[q].diagonal().mean()).item<double>();
  return result;
}

AffineResponse test_response() {
  AffineResponse response = gaussian_line_spread(kD, 4.0);
  response.offset_M = at::linspace(-1, 1, kD, at::kDouble);
  return response;
}

// Observations of prior draws from node q = i mod Q.
at::Tensor observations(const NodePrior& prior, const AffineResponse& response, std::int64_t count, double sigma) {
  std::vector<at::Tensor> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    const Node node = node_of(prior, i % prior.nodes());
    const at::Tensor x = node.mean + at::matmul(node.factors, normals(1, kR, 7000 + static_cast<std::uint64_t>(i))[0]);
    rows.push_back(at::matmul(response.matrix_MD, x) + response.offset_M + sigma * normals(1, kD, 8000 + static_cast<std::uint64_t>(i))[0]);
  }
  return at::stack(rows);
}

TEST(ExactPosterior, AgreesWithDenseConditioningOfEveryNode) {
  for (std::int64_t nodes : {1, 5, 70}) {
    for (double sigma : {0.02, 2.0}) {
      const NodePrior prior = random_prior(nodes);
      const AffineResponse response = test_response();
      const at::Tensor y = observations(prior, response, 6, sigma), ids = at::arange(6, at::kLong);
      const ExactPosterior exact = exact_posterior(prior, response, y, at::full({6}, sigma, at::kDouble), RandomKey(1), ids);
      for (std::int64_t i = 0; i < 6; ++i) {
        const Brute brute = brute_posterior(prior, response, y[i], sigma);
        EXPECT_LT((exact.mean_BD[i] - brute.mean_D).abs().max().item<double>(), 1e-5);  // float32 result of values near 5
        EXPECT_NEAR(exact.variance_B[i].item<double>(), brute.variance, 1e-8 + 1e-6 * brute.variance);
        EXPECT_NEAR(exact.log_evidence_B[i].item<double>(), brute.log_evidence, 1e-6 * (1 + std::abs(brute.log_evidence)));
      }
    }
  }
}

TEST(ExactPosterior, DrawsHaveThePosteriorsMeanAndVariance) {
  const NodePrior prior = random_prior(5);
  const AffineResponse response = test_response();
  const double sigma = 2.0;
  const std::int64_t copies = 4000;  // one observation under many ids
  const at::Tensor y = observations(prior, response, 1, sigma).expand({copies, kD}).contiguous();
  const ExactPosterior exact = exact_posterior(prior, response, y, at::full({copies}, sigma, at::kDouble), RandomKey(3), at::arange(copies, at::kLong));
  const at::Tensor draws = exact.draw_BD.to(at::kDouble), mean = exact.mean_BD[0].to(at::kDouble);
  const double variance = exact.variance_B[0].item<double>();
  EXPECT_LT((draws.mean(0) - mean).abs().max().item<double>(), 5 * std::sqrt(3 * variance / copies));  // one pixel may vary 3 × the mean variance
  EXPECT_NEAR((draws - mean).square().mean().item<double>(), variance, 0.08 * variance);               // 3 factors × 4,000: s.e. about 2 %
}

TEST(ExactPosterior, TheDrawOfAnObjectDoesNotDependOnTheBatch) {
  const NodePrior prior = random_prior(40);
  const AffineResponse response = test_response();
  const at::Tensor y = observations(prior, response, 8, 1.0), sigma = at::full({8}, 1.0, at::kDouble), ids = at::arange(8, at::kLong) * 11;
  const at::Tensor whole = exact_posterior(prior, response, y, sigma, RandomKey(5), ids).draw_BD;
  const at::Tensor part = exact_posterior(prior, response, y.slice(0, 3, 5), sigma.slice(0, 3, 5), RandomKey(5), ids.slice(0, 3, 5)).draw_BD;
  EXPECT_LT((whole.slice(0, 3, 5) - part).abs().max().item<double>(), 1e-5);
}

TEST(ExactPosterior, AtNoNoiseAndFullResponseReturnsTheSignal) {
  const NodePrior prior = random_prior(1);
  AffineResponse identity{at::eye(kD, at::kDouble), at::zeros({kD}, at::kDouble)};
  const Node node = node_of(prior, 0);
  const at::Tensor x = (node.mean + at::matmul(node.factors, at::tensor({0.3, -1.0, 2.0}, at::kDouble))).unsqueeze(0);
  const ExactPosterior exact = exact_posterior(prior, identity, x, at::full({1}, 1e-4, at::kDouble), RandomKey(1), at::zeros({1}, at::kLong));
  EXPECT_LT((exact.mean_BD - x).abs().max().item<double>(), 1e-5);
  EXPECT_LT((exact.draw_BD - x).abs().max().item<double>(), 2e-3);  // draws scatter by about σ
}

TEST(LinearEstimate, IsThePosteriorMeanOfAGaussian) {
  const NodePrior prior = random_prior(1);
  const AffineResponse response = test_response();
  const at::Tensor y = observations(prior, response, 5, 0.7), sigma = at::tensor({0.1, 0.5, 0.7, 1.0, 3.0}, at::kDouble);
  const at::Tensor exact = exact_posterior(prior, response, y, sigma, RandomKey(1), at::arange(5, at::kLong)).mean_BD;
  EXPECT_LT((linear_estimate(moments(prior), response, y, sigma.square()) - exact).abs().max().item<double>(), 1e-5);
}

TEST(Moments, AreThoseOfTheMixture) {
  const NodePrior prior = random_prior(50);
  at::Tensor mean = at::zeros({kD}, at::kDouble), second = at::zeros({kD, kD}, at::kDouble);
  for (std::int64_t q = 0; q < 50; ++q) {
    const Node node = node_of(prior, q);
    const double weight = prior.weight[static_cast<std::size_t>(q)];
    mean += weight * node.mean;
    second += weight * (at::matmul(node.factors, node.factors.t()) + node.mean.outer(node.mean));
  }
  const Moments result = moments(prior);
  EXPECT_LT((result.mean_D - mean).abs().max().item<double>(), 1e-12);
  EXPECT_LT((result.covariance_DD - (second - mean.outer(mean))).abs().max().item<double>(), 1e-11);
}

TEST(QuasarNodePrior, IntegratesTheRedshiftAtMidpoints) {
  const QuasarPrior quasar({1000, 1100, 1200, 1300}, {1, 2, 4, 3}, {1, 0, 0, 1, 2, 2, 1, 1}, "test", "");
  const std::vector<double> wavelength{4400, 4600};
  const NodePrior prior = quasar_node_prior(quasar, wavelength, 2.8, 3.0, 2);
  double mean[2], factors[4];
  prior.node(1, mean, factors);  // z = 2.95: rest 1113.92 and 1164.56 Å
  EXPECT_NEAR(mean[0], 2 + 2 * (4400 / 3.95 - 1100) / 100, 1e-12);
  EXPECT_NEAR(factors[3], 1 + 1 * (4600 / 3.95 - 1100) / 100, 1e-12);
  EXPECT_DOUBLE_EQ(prior.weight[0], 0.5);
}

TEST(NoiseFromSnr, IsTheMeanAbsoluteFluxOverTheRatio) {
  const AffineResponse identity{at::eye(3, at::kDouble), at::zeros({3}, at::kDouble)};
  const at::Tensor truth = at::tensor({1.0, -2.0, 3.0}, at::kDouble).unsqueeze(0);
  EXPECT_DOUBLE_EQ(noise_from_snr(identity, truth, at::full({1}, 4.0, at::kDouble))[0].item<double>(), 0.5);
}

TEST(QuasarReferences, ExactMeanIsBestAndADrawCostsTwice) {
  // Smooth synthetic prior of rank 2 in the rest frame, so that the posterior is one Gaussian.
  std::vector<double> rest, mean, factors, grid;
  for (int i = 0; i <= 100; ++i) {
    rest.push_back(1000 + 4.0 * i);
    mean.push_back(2 + std::sin(i / 10.0));
    factors.push_back(std::cos(i / 15.0));
    factors.push_back(0.5 * std::sin(i / 4.0));
  }
  for (int d = 0; d < 64; ++d) grid.push_back(1010 * std::pow(1390.0 / 1010, d / 63.0));
  const QuasarPrior quasar(rest, mean, factors, "test", "");
  const NodePrior prior = rest_frame_prior(quasar, grid);
  const std::int64_t objects = 1500;
  at::Tensor m = at::empty({64}, at::kDouble), F = at::empty({64, 2}, at::kDouble);
  prior.node(0, m.mutable_data_ptr<double>(), F.mutable_data_ptr<double>());
  QuasarReferenceInput input;
  input.wavelength_angstrom_D = grid;
  input.rest_frame = true;
  input.truth_BD = m + at::matmul(normals(objects, 2, 1), F.t());
  input.snr_B = at::linspace(0.5, 2, objects, at::kDouble);
  input.object_id_B = at::arange(objects, at::kLong);
  const at::Tensor sigma = input.truth_BD.abs().mean(1) / input.snr_B;  // line spread far below a pixel
  input.observed_BD = input.truth_BD + sigma.unsqueeze(1) * normals(objects, 64, 2);
  const QuasarReferences result = quasar_references(quasar, input);
  const auto mse = [&](const at::Tensor& a) { return (a - input.truth_BD).square().mean().item<double>(); };
  EXPECT_NEAR(mse(result.exact.mean_BD), result.mmse_bound * result.mmse_bound, 0.12 * mse(result.exact.mean_BD));  // two factors an object, noisy ones dominate: s.e. about 4 %
  EXPECT_NEAR(mse(result.exact.draw_BD), 2 * mse(result.exact.mean_BD), 0.12 * mse(result.exact.draw_BD));
  EXPECT_GT(mse(result.linear_BD), mse(result.exact.mean_BD));  // it does not know each object's noise
  EXPECT_LT(mse(result.linear_BD), 2 * mse(result.exact.mean_BD));
  input.wavelength_angstrom_D[5] += 1;
  EXPECT_THROW(quasar_references(quasar, input), ConfigError);
}

TEST(QuasarReference, BadInputIsNamed) {
  const NodePrior prior = random_prior(1);
  const AffineResponse response = test_response();
  const at::Tensor y = at::zeros({2, kD}), sigma = at::ones({2}, at::kDouble), ids = at::arange(2, at::kLong);
  EXPECT_THROW(exact_posterior(prior, response, at::zeros({2, 5}), sigma, RandomKey(1), ids), ShapeError);
  EXPECT_THROW(exact_posterior(prior, response, y, sigma * 0, RandomKey(1), ids), DataError);
  EXPECT_THROW(exact_posterior(prior, gaussian_line_spread(5, 1), y, sigma, RandomKey(1), ids), ShapeError);
  EXPECT_THROW(exact_posterior(prior, response, y, sigma, RandomKey(1), ids.slice(0, 0, 1)), ShapeError);
}

}  // namespace
}  // namespace unchannel::baselines
