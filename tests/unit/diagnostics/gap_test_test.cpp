#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/diagnostics/gap_test.hpp>

namespace unchannel::diagnostics {
namespace {

constexpr std::int64_t kD = 4;

at::Tensor normals(RandomKey key, const at::Tensor& ids_B) {
  at::Tensor n_BD = at::empty({ids_B.size(0), kD}, at::kFloat);
  for (std::int64_t b = 0; b < ids_B.size(0); ++b)
    key.normal(static_cast<std::uint64_t>(ids_B[b].item<std::int64_t>()), 0, kD, n_BD.mutable_data_ptr<float>() + b * kD);
  return n_BD;
}

/// y = x + σ n.
class Awgn final : public Channel {
 public:
  explicit Awgn(double sigma = 1) : sigma_(sigma) {}
  std::string id() const override { return "test.awgn"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {kD}; }
  std::vector<std::int64_t> observation_shape() const override { return {kD}; }
  const std::vector<LatentSpec>& latents() const override { return none_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    return x_BD + sigma_ * normals(key, ids_B);
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }

 private:
  double sigma_;
  std::vector<LatentSpec> none_;
};

/// Rows of N(0, (1 + variance) I): observations of Gaussian signals through unit noise.
ObservationBatch observed(std::int64_t rows, double variance, RandomKey key) {
  ObservationBatch batch;
  batch.lifted_BD = std::sqrt(1 + variance) * normals(key, at::arange(rows, at::kLong));
  return batch;
}

/// The exact variance-preserving map for a prior of `variance` and the channel's noise: the fixed point of the iteration.
Restore exact_map(double variance, double sigma) {
  return [gain = std::sqrt(variance / (variance + sigma * sigma))](const at::Tensor& y_ND, const Latents&, RandomKey, const at::Tensor&) {
    return gain * y_ND;
  };
}

GapTestCase exact_case(const Channel& channel, double variance, double sigma, RandomKey key, std::int64_t rows) {
  return {.channel = channel,
          .restore = exact_map(variance, sigma),
          .known = observed(2048, 1, key.derive(1)),
          .early_stop = observed(rows, 1, key.derive(2)),
          .test = observed(rows, 1, key.derive(3)),
          .training_rows = std::int64_t{1} << 40,  // the map is exact: no chance of training rows in it
          .key = key.derive(4)};
}

TEST(GapTest, PValuesAreUniformWhenTheSimulatorIsRight) {
  at::set_num_threads(1);
  const Awgn channel;
  std::vector<double> p;
  for (std::uint64_t seed = 0; seed < 150; ++seed)
    p.push_back(test_gap(exact_case(channel, 1, 1, RandomKey(seed), 64), {.replicas = 39}).p_value);
  std::ranges::sort(p);
  double distance = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    distance = std::max(distance, std::abs(p[i] - (static_cast<double>(i) + 0.5) / 150) - 0.5 / 40);
  EXPECT_LT(distance, 1.63 / std::sqrt(150.0));  // Kolmogorov and Smirnov at 1 %, beyond the steps of 1/40
  EXPECT_LE(std::ranges::count_if(p, [](double value) { return value < 0.05; }),
            14);  // 0.025 of 150 expected, 0.05 allowed: 7.5 + 2.4 deviations
}

TEST(GapTest, NoiseTooLargeForTheDataIsFound) {
  // Signals of variance 0.001: with σ = 1.2 for 1, the simulated observations have a spread of 1.2 where the observed have 1.
  const Awgn channel(1.2);
  GapTestCase test = exact_case(channel, 0.001, 1.2, RandomKey(7), 256);
  test.known = observed(2048, 0, RandomKey(71));
  test.early_stop = observed(256, 0, RandomKey(72));
  test.test = observed(256, 0, RandomKey(73));
  const GapTest result = test_gap(test, {});
  EXPECT_EQ(result.p_value, 0.01);
  EXPECT_NEAR(result.gap, 0.2 * std::sqrt(3 / M_PI), 4 * result.error);
  EXPECT_LT(std::abs(result.fit_gap), 0.03);
  EXPECT_GT(result.coordinates, 3);
}

TEST(GapTest, PowerGrowsWithTheMarginAndTheRows) {
  const Awgn channel;
  const auto power = [&](double margin, std::int64_t rows) {
    return test_gap(exact_case(channel, 1, 1, RandomKey(5), rows), {.margin = margin}).power;
  };
  EXPECT_GE(power(0.3, 512), 0.95);
  EXPECT_LT(power(0.01, 512), 0.3);
  EXPECT_LT(power(0.1, 32), 0.5);
  EXPECT_GT(power(0.1, 2048), 0.8);
}

TEST(GapTest, PowerIsTheShareOfWorldsThatAreFound) {
  // One coordinate, white contrasts of deviation s: a difference of 2.49 s is found in 80 % at one-sided 5 % when the filter is known.
  at::Tensor contrast_RQJ = at::empty({999, 1, 4}, at::kFloat);
  RandomKey(9).normal(0, 0, 999 * 4, contrast_RQJ.mutable_data_ptr<float>());
  EXPECT_NEAR(detection_power(0.02 * contrast_RQJ.to(at::kDouble), 1e-6, 2.49 * 0.02, RandomKey(10)), 0.8, 0.05);
}

TEST(GapTest, RefusesTooFewRowsAndReplicasAndRestorationsThatAreNotFinite) {
  const Awgn channel;
  EXPECT_THROW(test_gap(exact_case(channel, 1, 1, RandomKey(1), 31), {}), ShapeError);
  EXPECT_THROW(test_gap(exact_case(channel, 1, 1, RandomKey(1), 64), {.replicas = 19}), ConfigError);
  GapTestCase diverged = exact_case(channel, 1, 1, RandomKey(1), 64);
  diverged.restore = [](const at::Tensor& y_ND, const Latents&, RandomKey, const at::Tensor&) {
    return y_ND * std::numeric_limits<double>::infinity();
  };
  EXPECT_THROW(test_gap(diverged, {}), NumericalError);
}

}  // namespace
}  // namespace unchannel::diagnostics
