// Laws and limits of the single built-in channels; what all of them share is in built_in_contract_test.cpp.
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <unchannel/base/error.hpp>
#include <unchannel/test_support/message_of.hpp>

#include "built_in_cases.hpp"

// Shape legend: B batch · D signal dimensions flattened · P planes · H rows · W columns
namespace unchannel::test {
namespace {

using test_support::message_of;

std::string refusal(const std::string& id, const std::vector<std::int64_t>& shape, const nlohmann::json& parameters) {
  return message_of<ConfigError>([&] { built_in(id, shape, parameters); });
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(RandomMask, HidesTheShareItIsAskedForInAllPlanesAtOnce) {
  const auto channel = built_in("random_mask", {3, 16, 16}, {{"hidden_share", 0.25}, {"noise_sigma", 0.1}});
  ASSERT_EQ(channel->latents().size(), 1u);
  EXPECT_EQ(channel->latents()[0].shape, (std::vector<std::int64_t>{1, 16, 16}));
  EXPECT_TRUE(channel->latents()[0].visible);
  Latents latents;
  const at::Tensor x = at::full({200, 768}, 0.5F);
  const at::Tensor y = measure(*channel, x, {}, RandomKey(1), id_range(0, 200), &latents).view({200, 3, 16, 16});
  const at::Tensor mask = latents.at("mask");
  // 51,200 pixels: five standard errors of √(0.25 · 0.75 / 51200) = 1.9e-3.
  EXPECT_NEAR(mask.mean().item<double>(), 0.75, 9.6e-3);
  const at::Tensor hidden = mask.eq(0).expand_as(y), seen = mask.eq(1).expand_as(y);
  const at::Tensor fill = y.masked_select(hidden), kept = y.masked_select(seen).sub(0.5);
  // About 38,400 and 115,200 values: five standard errors each.
  EXPECT_NEAR(fill.mean().item<double>(), 0.0, 5 / std::sqrt(38400.0));
  EXPECT_NEAR(fill.std().item<double>(), 1.0, 5 / std::sqrt(2 * 38400.0));
  EXPECT_NEAR(kept.mean().item<double>(), 0.0, 0.1 * 5 / std::sqrt(115200.0));
  EXPECT_NEAR(kept.std().item<double>(), 0.1, 0.1 * 5 / std::sqrt(2 * 115200.0));
}

TEST(RandomMask, TakesMasksFromTheData) {
  const auto channel = built_in("random_mask", {2, 4, 4}, {{"noise_sigma", 0.0}}, {{"mask", {{"source", "own"}}}});
  const at::Tensor x = signal_rows(3, {2, 4, 4}), ids = id_range(0, 3);
  EXPECT_TRUE(channel->draw_latents(RandomKey(1), ids, x).empty());
  EXPECT_TRUE(at::equal(measure(*channel, x, {{"mask", at::ones({3, 1, 4, 4})}}, RandomKey(1), ids), x));
  const at::Tensor all_hidden = measure(*channel, x, {{"mask", at::zeros({3, 1, 4, 4})}}, RandomKey(1), ids);
  EXPECT_TRUE(at::equal(all_hidden, measure(*channel, x.mul(3), {{"mask", at::zeros({3, 1, 4, 4})}}, RandomKey(1), ids)));
  EXPECT_THROW(measure(*channel, x, {{"mask", at::full({3, 1, 4, 4}, 0.5F)}}, RandomKey(1), ids), DataError);
  EXPECT_THROW(measure(*channel, x, {{"mask", at::ones({3, 2, 4, 4})}}, RandomKey(1), ids), ShapeError);
}

TEST(RandomMask, HasTheDensityOfItsParts) {
  const auto channel = built_in("random_mask", {2}, {{"noise_sigma", 0.5}});
  const at::Tensor x = at::full({1, 2}, 0.25F), y = at::full({1, 2}, 1.0F), mask = at::ones({1, 2});
  mask[0][1] = 0;
  at::Tensor gradient;
  const double value = channel->loglik(x, {{"mask", mask}}, y, &gradient).item<double>();
  const double log_two_pi = std::log(2 * std::numbers::pi);
  const double seen = -0.5 * log_two_pi - std::log(0.5) - 0.5 * 0.75 * 0.75 / 0.25, hidden = -0.5 * log_two_pi - 0.5;
  EXPECT_NEAR(value, seen + hidden, 1e-12);
  EXPECT_NEAR(gradient[0][0].item<double>(), 0.75 / 0.25, 1e-6);
  EXPECT_EQ(gradient[0][1].item<double>(), 0.0);
}

TEST(BlockMask, HidesOneRectangleAnywhereInside) {
  const auto channel = built_in("block_mask", {1, 5, 6}, {{"height", 2}, {"width", 3}, {"noise_sigma", 0.0}});
  Latents latents;
  const at::Tensor x = at::full({400, 30}, 9.0F);  // noise never reaches it
  const at::Tensor hidden = measure(*channel, x, {}, RandomKey(1), id_range(0, 400), &latents).ne(9.0F).view({400, 5, 6});
  EXPECT_TRUE(hidden.sum(c10::IntArrayRef{1, 2}).eq(6).all().item<bool>());
  const at::Tensor position = latents.at("position");
  EXPECT_EQ(position.scalar_type(), at::kInt);
  at::Tensor seen = at::zeros({4, 4});
  for (std::int64_t b = 0; b < 400; ++b) {
    const auto top = position[b][0].item<std::int64_t>(), left = position[b][1].item<std::int64_t>();
    EXPECT_TRUE(hidden[b].slice(0, top, top + 2).slice(1, left, left + 3).all().item<bool>());
    seen[top][left] += 1;
  }
  // 16 places, 25 each on average: none is missing, and chi-square (15 degrees) stays below its mean and five standard deviations.
  EXPECT_LT(seen.sub(25).square().div(25).sum().item<double>(), 15 + 5 * std::sqrt(30.0));
  EXPECT_THROW(channel->simulate(x, {{"position", at::full({400, 2}, 4, at::kInt)}}, RandomKey(1), id_range(0, 400)), DataError);
}

TEST(GaussianBlur, KeepsConstantsAndTheSumOfPeriodicSignals) {
  for (const char* boundary : {"mirror", "reflect", "periodic"}) {
    const auto channel = built_in("gaussian_blur", {3, 8, 8}, {{"blur_sigma", 1.5}, {"boundary", boundary}, {"noise_sigma", 0.0}});
    EXPECT_TRUE(channel->noise_free());
    EXPECT_FALSE(channel->has_loglik());
    const at::Tensor constant = at::full({2, 192}, 0.7F);
    EXPECT_TRUE(at::allclose(channel->mean(constant, {}), constant, 0, 1e-6)) << boundary;
  }
  const auto channel = built_in("gaussian_blur", {3, 8, 8}, {{"blur_sigma", 1.5}, {"boundary", "periodic"}});
  const at::Tensor x = signal_rows(2, {3, 8, 8});
  EXPECT_TRUE(at::allclose(channel->mean(x, {}).sum(1), x.sum(1), 0, 1e-4));
}

TEST(MotionBlur, AveragesAlongItsDirection) {
  const auto channel = built_in("motion_blur", {1, 9, 9}, {{"length", 5}, {"noise_sigma", 0.0}});
  at::Tensor x = at::zeros({3, 9, 9});
  x.select(1, 4).select(1, 4).fill_(1);
  at::Tensor direction = at::zeros({3});
  direction[1] = std::numbers::pi / 2;
  direction[2] = std::numbers::pi / 4;
  const at::Tensor y = channel->mean(x.view({3, 81}), {{"direction", direction}}).view({3, 9, 9});
  EXPECT_TRUE(at::allclose(y[0][4].slice(0, 2, 7), at::full({5}, 0.2F), 0, 1e-6)) << "along the row";
  EXPECT_TRUE(at::allclose(y[1].select(1, 4).slice(0, 2, 7), at::full({5}, 0.2F), 0, 1e-6)) << "along the column";
  EXPECT_TRUE(at::allclose(y.sum(c10::IntArrayRef{1, 2}), at::ones({3}), 0, 1e-6));
  // Towards the top: at 45 degrees the upper right corner of the kernel is lit, the upper left is not.
  EXPECT_GT(y[2][3][5].item<double>(), 0.1);
  EXPECT_EQ(y[2][3][3].item<double>(), 0.0);
}

TEST(Poisson, HasTheMeanAndVarianceOfPhotons) {
  const double lambda = 0.1;
  const auto channel = built_in("poisson", {4}, {{"lambda", lambda}});
  const std::vector<double> levels = {-1.0, -0.9, 0.0, 1.0};
  constexpr std::int64_t kDraws = 20000;
  at::Tensor x = at::zeros({kDraws, 4});
  for (std::int64_t j = 0; j < 4; ++j) x.select(1, j).fill_(levels[static_cast<std::size_t>(j)]);
  const at::Tensor y = measure(*channel, x, {}, RandomKey(2), id_range(0, kDraws)).to(at::kDouble);
  for (std::int64_t j = 0; j < 4; ++j) {
    const double u = (levels[static_cast<std::size_t>(j)] + 1) / 2, variance = 4 * lambda * u;
    const double mean = y.select(1, j).mean().item<double>(), spread = y.select(1, j).var().item<double>();
    EXPECT_NEAR(mean, 2 * u - 1, 5 * std::sqrt(variance / kDraws) + 1e-6) << u;
    // The variance of the sample variance of m photons is (m + 2 m²) / n, in units of (2λ)⁴.
    const double photons = u / lambda;
    EXPECT_NEAR(spread, variance, 4 * lambda * lambda * 5 * std::sqrt((photons + 2 * photons * photons) / kDraws) + 1e-9) << u;
  }
}

TEST(Poisson, HasTheProbabilityOfItsCounts) {
  const auto channel = built_in("poisson", {3}, {{"lambda", 0.5}});
  at::Tensor x = at::zeros({1, 3}), y = at::zeros({1, 3});
  x[0][0] = 0.5, x[0][1] = -1.0, x[0][2] = 1.0;   // 1.5, 0 and 2 photons expected
  y[0][0] = 2.0, y[0][1] = -1.0, y[0][2] = -1.0;  // 3, 0 and 0 counted
  const double expected = 3 * std::log(1.5) - 1.5 - std::log(6.0) - 2;
  EXPECT_NEAR(channel->loglik(x, {}, y, nullptr).item<double>(), expected, 1e-6);
  y[0][1] = 0.0;  // a photon from black
  EXPECT_EQ(channel->loglik(x, {}, y, nullptr).item<double>(), -std::numeric_limits<double>::infinity());
}

TEST(Poisson, MarksSignalsThatItCannotMeasure) {
  const auto channel = built_in("poisson", {2}, {{"lambda", 0.1}});
  const at::Tensor x = at::full({1, 2}, std::nanf(""));
  EXPECT_TRUE(measure(*channel, x, {}, RandomKey(1), id_range(0, 1)).isnan().all().item<bool>());
}

TEST(PoissonAdditive, DoesNotDependOnTheSignal) {
  const auto channel = built_in("poisson_additive", {8}, {{"rate", 0.25}});
  const at::Tensor x = signal_rows(5000, {8}), ids = id_range(0, 5000);
  const at::Tensor noise = measure(*channel, at::zeros({5000, 8}), {}, RandomKey(3), ids);
  EXPECT_TRUE(at::equal(noise, noise.round()));
  EXPECT_TRUE(at::equal(measure(*channel, x, {}, RandomKey(3), ids), noise.add(x)));
  // 40,000 numbers of mean and variance 0.25: five standard errors, that of the variance is √((λ + 2λ²) / n).
  EXPECT_NEAR(noise.mean().item<double>(), 0.25, 5 * std::sqrt(0.25 / 40000));
  EXPECT_NEAR(noise.var().item<double>(), 0.25, 5 * std::sqrt((0.25 + 2 * 0.0625) / 40000));
}

TEST(Downsample, AveragesSquaresAndLiftsThemBack) {
  const auto nearest = built_in("downsample", {1, 4, 4}, {{"factor", 2}, {"noise_sigma", 0.0}, {"lift", "nearest"}});
  EXPECT_EQ(nearest->observation_shape(), (std::vector<std::int64_t>{1, 2, 2}));
  const at::Tensor y = signal_rows(3, {1, 2, 2});
  const at::Tensor lifted = nearest->lift(y, {});
  EXPECT_EQ(lifted.sizes(), (at::IntArrayRef{3, 16}));
  EXPECT_TRUE(at::allclose(nearest->mean(lifted, {}), y, 0, 1e-6)) << "averages of repeated pixels";
  const auto line = built_in("downsample", {12}, {{"factor", 3}});
  EXPECT_EQ(line->observation_shape(), (std::vector<std::int64_t>{4}));
}

TEST(Quantise, GivesEquidistantLevels) {
  const auto channel = built_in("quantise", {5}, {{"levels", 3}});
  at::Tensor x = at::zeros({1, 5});
  x[0][0] = -7.0, x[0][1] = -0.51, x[0][2] = 0.2, x[0][3] = 0.51, x[0][4] = 1.4;
  const at::Tensor y = channel->mean(x, {});
  const std::vector<double> expected = {-1, -1, 0, 1, 1};
  for (std::int64_t j = 0; j < 5; ++j) EXPECT_EQ(y[0][j].item<double>(), expected[static_cast<std::size_t>(j)]) << j;
}

TEST(Quantise, IsUnbiasedWithOneStepOfDither) {
  const auto channel = built_in("quantise", {1}, {{"levels", 5}, {"dither_steps", 1.0}});
  const at::Tensor y = measure(*channel, at::full({40000, 1}, 0.17F), {}, RandomKey(4), id_range(0, 40000));
  // Two levels half a unit apart: five standard errors of at most 0.25 / √40000.
  EXPECT_NEAR(y.mean().item<double>(), 0.17, 5 * 0.25 / 200);
  EXPECT_FALSE(channel->has_mean());
}

TEST(BuiltIns, SayWhatDoesNotFit) {
  EXPECT_TRUE(
      contains(refusal("random_mask", {4, 4}, {{"hidden_shrae", 0.5}}), "has no parameter 'hidden_shrae'. Did you mean 'hidden_share'?"));
  EXPECT_TRUE(contains(refusal("random_mask", {4, 4}, {{"hidden_share", 1.5}}), "hidden_share must lie in the range [0, 1]; it is 1.5"));
  EXPECT_TRUE(contains(refusal("random_mask", {1, 2, 3, 4}, {}),
                       "takes signals of shape [L], [H, W] or [planes, H, W]; these have shape [1, 2, 3, 4]"));
  EXPECT_TRUE(contains(refusal("block_mask", {3, 4, 4}, {{"height", 5}}), "does not fit into 4 x 4 pixels"));
  EXPECT_TRUE(contains(refusal("block_mask", {16}, {}), "takes signals of shape [H, W] or [planes, H, W]"));
  EXPECT_TRUE(contains(refusal("gaussian_blur", {3, 4, 4}, {{"blur_sigma", 2.0}}),
                       "reaches 6 pixels beyond the border, but an axis of 4 pixels allows 3"));
  EXPECT_TRUE(contains(refusal("gaussian_blur", {3, 8, 8}, {{"boundary", "mirorr"}}), "Did you mean 'mirror'?"));
  EXPECT_TRUE(contains(refusal("motion_blur", {3, 8, 8}, {{"length", 6}}), "length must be odd"));
  EXPECT_TRUE(contains(refusal("motion_blur", {30}, {}), "takes signals of shape [H, W]"));
  EXPECT_TRUE(contains(refusal("downsample", {3, 8, 6}, {{"factor", 4}}), "factor = 4 does not divide the signal's 8 x 6 pixels"));
  EXPECT_TRUE(contains(refusal("quantise", {8}, {{"levels", 1}}), "levels must lie in the range [2, 65536]; it is 1"));
  EXPECT_TRUE(contains(refusal("poisson", {8}, {{"lambda", 0.0}}), "lambda must lie in the range"));
}

}  // namespace
}  // namespace unchannel::test
