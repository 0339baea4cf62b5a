#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/diagnostics/recoverability.hpp>

namespace unchannel::diagnostics {
namespace {

at::Tensor normals(RandomKey key, const at::Tensor& ids_B, std::int64_t D) {
  at::Tensor n_BD = at::empty({ids_B.size(0), D}, at::kFloat);
  for (std::int64_t b = 0; b < ids_B.size(0); ++b)
    key.normal(static_cast<std::uint64_t>(ids_B[b].item<std::int64_t>()), 0, static_cast<std::uint32_t>(D),
               n_BD.mutable_data_ptr<float>() + b * D);
  return n_BD;
}

/// y = g ⊙ x + n, or with |x|: a channel that forgets signs.
class Gains final : public Channel {
 public:
  Gains(at::Tensor gain_D, bool absolute) : gain_D_(std::move(gain_D)), absolute_(absolute) {}
  std::string id() const override { return "test.gains"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {gain_D_.size(0)}; }
  std::vector<std::int64_t> observation_shape() const override { return signal_shape(); }
  const std::vector<LatentSpec>& latents() const override { return none_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    return (absolute_ ? x_BD.abs() : x_BD) * gain_D_ + normals(key, ids_B, gain_D_.size(0));
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }

 private:
  at::Tensor gain_D_;
  bool absolute_;
  std::vector<LatentSpec> none_;
};

std::vector<RecoverableDirection> probe(const at::Tensor& spread_D, const at::Tensor& gain_D, bool absolute = false,
                                        std::int64_t rows = 5000) {
  const at::Tensor ids_N = at::arange(4096, at::kLong), x_ND = normals(RandomKey(1), ids_N, spread_D.size(0)) * spread_D;
  return probe_recoverability(Gains(gain_D, absolute), x_ND, {}, rows, RandomKey(2));
}

TEST(Recoverability, OfWhiteNoiseIsTheClosedForm) {
  const at::Tensor spread_D = at::tensor({4.0F, 2.0F, 1.0F, 0.5F}), one_D = at::tensor({1.0F, 1.0F, 1.0F, 1.0F});
  const std::vector<RecoverableDirection> found = probe(spread_D, one_D);
  ASSERT_EQ(found.size(), 4U);
  for (std::size_t k = 0; k < 4; ++k) {
    const double c = std::pow(spread_D[static_cast<std::int64_t>(k)].item<double>(), 2), gain = c / (1 + c);
    // Changes of the log variance scatter by √(2/N), 2 %, less for common random numbers, on a change of 0.89 · gain; a finite stretch adds
    // 3 %.
    EXPECT_NEAR(1 / std::sqrt(found[k].condition), gain, 0.06 * gain + 0.01) << c;
    EXPECT_NEAR(found[k].spread, std::sqrt(c), 0.05 * std::sqrt(c));
    EXPECT_EQ(found[k].rank, static_cast<std::int64_t>(k) + 1);
    EXPECT_TRUE(found[k].data_determined);
    EXPECT_NEAR(found[k].spread_error, std::sqrt(found[k].condition / 10000), 1e-12);
  }
}

TEST(Recoverability, ADirectionThatTheChannelDropsIsDeterminedByThePrior) {
  const std::vector<RecoverableDirection> found = probe(at::tensor({3.0F, 2.0F, 1.0F}), at::tensor({1.0F, 0.0F, 1.0F}));
  EXPECT_TRUE(found.at(0).data_determined);
  EXPECT_FALSE(found.at(1).data_determined);
  EXPECT_GT(found.at(1).condition, 100);  // the sample's own second direction leans towards the others by about 1/√4096
  EXPECT_TRUE(found.at(2).data_determined);
}

TEST(Recoverability, OfAChannelThatDropsEverythingOnlyABoundIsKnown) {
  const std::vector<RecoverableDirection> found = probe(at::tensor({3.0F}), at::tensor({0.0F}));
  EXPECT_TRUE(found.at(0).condition_is_bound);
  EXPECT_FALSE(found.at(0).data_determined);
  EXPECT_TRUE(std::isfinite(found.at(0).condition));
}

TEST(Recoverability, FewObservationsDetermineLess) {
  const at::Tensor spread_D = at::tensor({2.0F, 0.5F}), one_D = at::tensor({1.0F, 1.0F});
  EXPECT_TRUE(probe(spread_D, one_D, false, 5000).at(1).data_determined);  // χ = 25: 5 %
  EXPECT_FALSE(probe(spread_D, one_D, false, 500).at(1).data_determined);  // 16 %
}

TEST(Recoverability, AChannelThatForgetsTheSignStillShowsTheSpread) {
  // |x| of spread 3 has the variance 9 (1 − 2/π) = 3.27 beside noise of 1: gain 0.77 in the log variance.
  const std::vector<RecoverableDirection> found = probe(at::tensor({3.0F, 0.1F}), at::tensor({1.0F, 1.0F}), true);
  EXPECT_NEAR(1 / std::sqrt(found.at(0).condition), 3.27 / 4.27, 0.08);
}

TEST(Recoverability, ProbesDirectionsSpacedOverTheSpectrum) {
  at::Tensor spread_D = at::empty({40}, at::kFloat), gain_D = at::empty({40}, at::kFloat).fill_(1);
  for (std::int64_t d = 0; d < 40; ++d) spread_D[d] = 10.0 / static_cast<double>(d + 1);
  const std::vector<RecoverableDirection> found = probe(spread_D, gain_D);
  EXPECT_LE(found.size(), 16U);
  EXPECT_EQ(found.front().rank, 1);
  EXPECT_EQ(found.back().rank, 40);
  EXPECT_LT(found.front().condition, 1.2);
  EXPECT_GT(found.back().condition, 50);  // c = 1/16: χ = 289
}

TEST(Recoverability, RefusesTooFewSignals) {
  const Gains channel(at::tensor({1.0F}), false);
  EXPECT_THROW(probe_recoverability(channel, at::empty({63, 1}, at::kFloat), {}, 100, RandomKey(1)), ShapeError);
}

}  // namespace
}  // namespace unchannel::diagnostics
