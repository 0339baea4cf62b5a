#include <ATen/ops/diag_embed.h>
#include <ATen/ops/where.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/baselines/ambient_diffusion.hpp>
#include <unchannel/nn/optimiser.hpp>

#include "gaussian_prior.hpp"

// Shape legend: B samples · D signal elements, one plane · S pixels of a plane
namespace unchannel::baselines {
namespace {

using namespace baselines_test;

constexpr std::int64_t kD = 4;
constexpr double kSigma = 0.3, kHidden = 0.5, kDelta = 0.3;

ModelSettings small_network() {
  ModelSettings settings;
  settings.space = "elements";
  settings.width = 64;
  settings.depth = 1;
  return settings;
}

/// Masked, noisy signals of a Gaussian law: everything the method may see, and what it should find.
struct MaskedGaussian {
  GaussianPrior prior = smooth_prior(kD);
  at::Tensor y_BD, seen_BS;
  AmbientInput input;

  MaskedGaussian(std::int64_t rows, std::uint64_t key) {
    const at::Tensor ids_B = at::arange(rows, at::kLong);
    const at::Tensor x_BD = prior.mean_D + at::matmul(normals(rows, kD, key), at::linalg_cholesky(prior.covariance_DD).t());
    y_BD = (x_BD + kSigma * normals(rows, kD, key + 1)).to(at::kFloat);
    seen_BS = thinned(at::ones({rows, kD}, at::kFloat), kHidden, RandomKey(key + 2), ids_B);
    y_BD = at::where(seen_BS.ne(0.0), y_BD, normals(rows, kD, key + 3).to(at::kFloat));  // hidden pixels hold noise
    const at::Tensor shown_BS = thinned(seen_BS, kDelta, RandomKey(key + 4), ids_B);
    const at::Tensor t_B = (ids_B.remainder(16).to(at::kFloat) + 1.0) / 16.0;
    input = ambient_input(y_BD, shown_BS, t_B, RandomKey(key + 5), ids_B);
  }
  AmbientDenoiser denoiser() const { return AmbientDenoiser(small_network(), {kD}, pixel_law(y_BD, seen_BS)); }
  /// E[y | x_t where shown] by the joint covariance of y = x + σ n and x_t: for a pixel that is not shown, E[x | x_t where shown].
  at::Tensor posterior_mean() const {
    const at::Tensor cy_DD = prior.covariance_DD + kSigma * kSigma * prior.identity(), shown_BD = input.shown_BS.to(at::kDouble);
    const at::Tensor t_B11 = input.t_B.to(at::kDouble).view({-1, 1, 1}), both_BDD = shown_BD.unsqueeze(2) * shown_BD.unsqueeze(1);
    const at::Tensor seen_BDD = ((1 - t_B11).square() * cy_DD + t_B11.square() * prior.identity()) * both_BDD + at::diag_embed(1 - shown_BD);
    const at::Tensor rest_B1 = 1 - input.t_B.to(at::kDouble).unsqueeze(1);
    const at::Tensor excess_BD = (input.x_BD.to(at::kDouble) - rest_B1 * prior.mean_D) * shown_BD;
    const at::Tensor weights_BD = at::matmul(at::linalg_inv(seen_BDD), excess_BD.unsqueeze(2)).squeeze(2) * shown_BD;
    return prior.mean_D + rest_B1 * at::matmul(weights_BD, cy_DD);
  }
};

TEST(AmbientDiffusion, TheLossIsLeastAtThePosteriorMeanOfShownAndHiddenPixels) {
  constexpr std::int64_t kBlocks = 32;
  const auto slope = [](const at::Tensor& wrong_D, bool of_hidden, const char* told) {
    std::vector<double> values;
    for (std::int64_t block = 0; block < kBlocks; ++block) {
      const MaskedGaussian c(2048, 100 * static_cast<std::uint64_t>(block) + 7);
      const AmbientDenoiser denoiser = c.denoiser();
      const at::Tensor best_BD = c.posterior_mean().to(at::kFloat) + wrong_D, shown_BD = c.input.shown_BS;
      const at::Tensor other_BD = (of_hidden ? 1.0 - shown_BD : shown_BD * c.input.x_BD) * 0.1;  // a change of what is predicted
      const at::Tensor told_BS = told == std::string("seen") ? c.seen_BS : shown_BD;
      const auto loss = [&](double step) { return denoiser.loss(best_BD + step * other_BD, c.input, c.y_BD, told_BS).item<double>(); };
      values.push_back((loss(1.0) - loss(-1.0)) / 2.0);  // the loss is quadratic: exact
    }
    const at::Tensor all = at::tensor(values, at::kDouble);
    return std::pair(all.mean().item<double>(), all.std().item<double>() / std::sqrt(static_cast<double>(kBlocks)));
  };
  const at::Tensor none_D = at::zeros({kD}, at::kFloat), shifted_D = at::full({kD}, 0.1, at::kFloat);
  for (const bool of_hidden : {true, false}) {
    const auto [at_best, error] = slope(none_D, of_hidden, "seen");
    EXPECT_LT(std::abs(at_best), 5.0 * error) << of_hidden;
  }
  const auto [elsewhere, error] = slope(shifted_D, true, "seen");
  EXPECT_GT(elsewhere, 10.0 * error) << "another answer for hidden pixels would do as well";
  // Without the further corruption nothing would be asked of hidden pixels: this is what it is for.
  EXPECT_EQ(slope(shifted_D, true, "shown").first, 0.0);
}

TEST(AmbientDiffusion, ANetworkLearnsThePosteriorMeanFromMaskedSignalsAlone) {
  const AmbientDenoiser denoiser = MaskedGaussian(4096, 3).denoiser();
  const std::unique_ptr<Network> student = denoiser.make_network(RandomKey(1)), average = denoiser.make_network(RandomKey(1));
  for (auto& [name, tensor] : student->parameters()) at::Tensor(tensor).set_requires_grad(true);
  OptimiserSettings adam;
  adam.learning_rate = 5e-3;
  adam.final_learning_rate_share = 0.02;
  Optimiser optimiser(adam, *student, *average);
  constexpr std::int64_t kSteps = 500;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const MaskedGaussian c(512, 1000 + 10 * static_cast<std::uint64_t>(step));
    denoiser.loss(denoiser.mean(*student, c.input), c.input, c.y_BD, c.seen_BS).backward();
    optimiser.step(step, kSteps);
  }
  const MaskedGaussian test(4096, 11);
  const at::Tensor exact_BD = test.posterior_mean(), hidden_BD = test.input.shown_BS.eq(0.0).to(at::kDouble);
  const auto rms_of_hidden = [&](const at::Tensor& error_BD) {
    return (error_BD.square() * hidden_BD).sum().div(hidden_BD.sum()).sqrt().item<double>();
  };
  const double alone = rms_of_hidden(exact_BD - denoiser.law().mean);  // what ignoring the neighbours costs
  ASSERT_GT(alone, 0.4);
  // Trained on 256,000 masked rows with a posterior deviation below one: an error of about √(parameters / rows) = 0.15 at the outset, less with
  // the falling learning rate.
  EXPECT_LT(rms_of_hidden(denoiser.mean(*average, test.input).detach() - exact_BD), 0.15);
}

TEST(AmbientDiffusion, RestoringKeepsWhatIsSeenAndLooksAtNothingElse) {
  const AmbientDenoiser denoiser(small_network(), {2, 2, 2}, {0.25, 0.5});
  const std::unique_ptr<Network> network = denoiser.make_network(RandomKey(1));
  for (auto& [name, tensor] : network->parameters()) {  // its output layer starts at zero
    if (name.starts_with("zero_output")) at::Tensor(tensor).detach().copy_(normals(1, tensor.numel(), 2).view(tensor.sizes()) * 0.3);
  }
  const at::Tensor seen_BS = at::tensor({1.0F, 0.0F, 1.0F, 1.0F}).view({1, 4}), ids_B = at::arange(1, at::kLong);
  const at::Tensor y_BD = normals(1, 8, 3).to(at::kFloat);
  const at::Tensor x_BD = denoiser.restore(*network, y_BD, seen_BS, 0.125, RandomKey(4), ids_B);
  for (const std::int64_t element : {0, 2, 3, 4, 6, 7}) EXPECT_EQ(x_BD[0][element].item<float>(), y_BD[0][element].item<float>());
  at::Tensor other_BD = y_BD.clone();
  for (const std::int64_t hidden : {1, 5}) {  // the same pixel of both planes
    EXPECT_NE(x_BD[0][hidden].item<float>(), y_BD[0][hidden].item<float>());
    other_BD[0][hidden] = std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_TRUE(at::equal(denoiser.restore(*network, other_BD, seen_BS, 0.125, RandomKey(4), ids_B), x_BD));
}

TEST(AmbientDiffusion, ShownPixelsOfASampleFollowTheirLawAndHiddenOnesAreMeans) {
  const AmbientDenoiser denoiser(small_network(), {kD}, {0.25, 0.5});
  const std::unique_ptr<Network> zero = denoiser.make_network(RandomKey(1));  // pixels without neighbours: the closed form
  const at::Tensor z_BD = normals(64, kD, 5).to(at::kFloat);
  const at::Tensor shown_BS = thinned(at::ones({64, kD}, at::kFloat), 0.5, RandomKey(6), at::arange(64, at::kLong));
  const at::Tensor x_BD = denoiser.sample(*zero, shown_BS, z_BD, 256);
  // The transport of N(0, 1) to N(m, s²) is m + s z; second order in steps of 1/256 with slopes of order s⁻².
  EXPECT_LT(largest((x_BD - (0.25 + 0.5 * z_BD)) * shown_BS), 5e-3);
  EXPECT_LT(largest((x_BD - 0.25) * (1.0 - shown_BS)), 1e-5);
}

TEST(AmbientDiffusion, ThinningOnlyHidesAndDependsOnTheRowAlone) {
  const at::Tensor ids_B = at::arange(2000, at::kLong), ones_BS = at::ones({2000, 16}, at::kFloat);
  const at::Tensor seen_BS = thinned(ones_BS, 0.5, RandomKey(1), ids_B), shown_BS = thinned(seen_BS, 0.1, RandomKey(2), ids_B);
  EXPECT_EQ((shown_BS * (1.0 - seen_BS)).sum().item<float>(), 0.0F);
  // Five standard errors of a share of 0.1 of about 16,000 pixels.
  EXPECT_NEAR((1.0 - shown_BS.sum() / seen_BS.sum()).item<double>(), 0.1, 5.0 * std::sqrt(0.09 / 16000.0));
  const at::Tensor part_BS = thinned(seen_BS.slice(0, 5, 9), 0.1, RandomKey(2), ids_B.slice(0, 5, 9).contiguous());
  EXPECT_TRUE(at::equal(part_BS, shown_BS.slice(0, 5, 9)));
}

TEST(AmbientDiffusion, RefusesWhatTeachesNothing) {
  const at::Tensor y_BD = normals(4, kD, 1).to(at::kFloat);
  EXPECT_THROW(pixel_law(y_BD, at::zeros({4, kD}, at::kFloat)), DataError);
  EXPECT_THROW(pixel_law(at::ones({4, kD}, at::kFloat), at::ones({4, kD}, at::kFloat)), DataError);
  ModelSettings committee = small_network();
  committee.members = 2;
  EXPECT_THROW(AmbientDenoiser(committee, {kD}, {}), ConfigError);
}

}  // namespace
}  // namespace unchannel::baselines
