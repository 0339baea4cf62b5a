#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/scsi/latent_gaussian.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "awgn_channel.hpp"
#include "mask_test_channel.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kRows = 4000;
constexpr std::int64_t kSize = 32;
constexpr double kNoise = 0.2;
constexpr double kRest = 0.1;  // deviation of what is not of rank two

/// Rank-two signals with a little white texture behind masks, in a file.
struct MaskCase {
  test_support::TempDir folder;
  MaskTestChannel channel{kSize, kNoise};
  at::Tensor ids = at::arange(kRows, at::kLong);
  at::Tensor signals = rank_two_signals(kRows, kSize) + kRest * normal_rows(RandomKey(8), ids, kSize);
  Latents latents = channel.draw_latents(RandomKey(5), ids, signals);
  at::Tensor observed = channel.simulate(signals, latents, RandomKey(5), ids);
  DataSettings data;
  StartSettings start;

  MaskCase() {
    DatasetWriter writer(folder / "observed.h5", DatasetKind::observations, {kSize});
    const at::Tensor rows = observed.contiguous(), mask = latents.at("mask").contiguous();
    writer.append({rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
    writer.append_latent("mask", {kSize}, std::span(mask.const_data_ptr<float>(), static_cast<std::size_t>(mask.numel())));
    writer.close();
    data.observations = (folder / "observed.h5").string();
    data.early_stop_rows = 128;
    data.test_rows = 128;
    start.components = 2;
    start.rounds = 2;
    start.em_steps = 15;
    start.probes = 2048;
  }

  Observations observations() const { return Observations(data, channel, RandomKey(1)); }
  LatentGaussian fit() const { return LatentGaussian::fit(observations(), channel, start, RandomKey(2), {}); }

  /// E[x | y, mask] by dense conditioning with the true law.
  at::Tensor exact_mean() const {
    const at::Tensor grid = at::linspace(0.0, 1.0, kSize, at::kDouble);
    const at::Tensor basis = at::stack({(grid * 6.28318530718).sin(), (grid * 3.14159265359).cos()});
    const at::Tensor law = basis.t().matmul(basis) + kRest * kRest * at::eye(kSize, at::kDouble);
    at::Tensor result = at::empty({kRows, kSize}, at::kDouble);
    for (std::int64_t row = 0; row < kRows; ++row) {
      const at::Tensor seen = latents.at("mask")[row].nonzero().squeeze(1);
      const at::Tensor gain = law.index_select(0, seen).index_select(1, seen) + kNoise * kNoise * at::eye(seen.size(0), at::kDouble);
      const at::Tensor rest = observed[row].index_select(0, seen).to(at::kDouble) - 0.5;
      result[row] = 0.5 + law.index_select(1, seen).matmul(at::linalg_solve(gain, rest.unsqueeze(1))).squeeze(1);
    }
    return result;
  }
};

double rms(const at::Tensor& x) { return x.to(at::kDouble).square().mean().sqrt().item<double>(); }

TEST(LatentGaussian, IsChosenForMasksOnly) {
  const MaskCase c;
  EXPECT_EQ(LatentGaussian::usable_latent(c.observations(), c.channel), "mask");
  const AwgnChannel plain(kSize, kNoise);
  EXPECT_FALSE(LatentGaussian::usable_latent(Observations(c.data, plain, RandomKey(1)), plain).has_value());
}

TEST(LatentGaussian, FindsWhatEachValueOfTheMaskDoes) {
  const MaskCase c;
  const auto tensors = c.fit().tensors();
  EXPECT_EQ(tensors.at("gain")[0].item<float>(), 0.0F) << "hidden: nothing passes";
  // 2,048 probes of 32 elements, half of them seen: standard errors below 0.2 / √32768 · a few.
  EXPECT_NEAR(tensors.at("gain")[1].item<float>(), 1.0F, 0.01F);
  EXPECT_NEAR(tensors.at("noise")[0].item<float>(), 1.0F, 0.03F);
  EXPECT_NEAR(tensors.at("noise")[1].item<float>(), kNoise * kNoise, 0.002F);
}

TEST(LatentGaussian, RestoresLikeDenseConditioningWithTheTrueLaw) {
  const MaskCase c;
  const at::Tensor mean = c.fit().posterior_mean(c.observed, c.latents), exact = c.exact_mean();
  // A law fitted to 3,744 half-hidden rows: its mean differs by far less than the exact one errs.
  EXPECT_LT(rms(mean - exact), 0.2 * rms(exact - c.signals));
  EXPECT_LT(rms(mean - c.signals), 1.03 * rms(exact - c.signals));
}

TEST(LatentGaussian, DrawsPreserveTheSpreadOfTheSignals) {
  const MaskCase c;
  const LatentGaussian fit = c.fit();
  const at::Tensor draw = fit.posterior_draw(c.observed, c.latents, RandomKey(3), c.ids);
  const at::Tensor ratio = draw.std(0) / c.signals.std(0);
  EXPECT_LT(rms(ratio - 1.0), 0.05);  // 1/√(2·4000) = 1 % of sampling, and the fit's
  EXPECT_NEAR(rms(draw - c.signals) / (std::sqrt(2.0) * rms(c.exact_mean() - c.signals)), 1.0, 0.05) << "a posterior draw errs √2 times the mean";
}

TEST(LatentGaussian, DrawsDoNotDependOnTheBatch) {
  const MaskCase c;
  const LatentGaussian fit = c.fit();
  const at::Tensor all = fit.posterior_draw(c.observed, c.latents, RandomKey(3), c.ids);
  const Latents part = {{"mask", c.latents.at("mask").slice(0, 700, 720)}};
  const at::Tensor some = fit.posterior_draw(c.observed.slice(0, 700, 720), part, RandomKey(3), c.ids.slice(0, 700, 720));
  EXPECT_LT((all.slice(0, 700, 720) - some).abs().max().item<double>(), 1e-4);  // products of other batch sizes round differently
}

TEST(LatentGaussian, SurvivesACheckpoint) {
  const MaskCase c;
  const LatentGaussian fit = c.fit(), again = LatentGaussian::from_tensors(fit.latent(), fit.tensors());
  EXPECT_TRUE(at::equal(fit.posterior_mean(c.observed, c.latents), again.posterior_mean(c.observed, c.latents)));
}

}  // namespace
}  // namespace unchannel
