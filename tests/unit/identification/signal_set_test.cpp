#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/identification/calibration.hpp>
#include <unchannel/identification/signal_set.hpp>
#include <unchannel/identification/statistics.hpp>
#include <unchannel/tensor/channel_factory.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel::identification {
namespace {

UnknownSettings signal_free() {
  UnknownSettings unknown;
  unknown.parameter = "sigma";
  unknown.constraint = "signal_free";
  return unknown;
}

std::unique_ptr<Channel> awgn(double sigma, std::int64_t dimension) {
  ChannelSettings settings;
  settings.id = "awgn";
  settings.parameters = {{"sigma", sigma}};
  return make_channel(settings, {}, {dimension});
}

at::Tensor normals(std::int64_t rows, std::int64_t columns, std::uint64_t key) {
  at::Tensor x = at::empty({rows, columns}, at::kFloat);
  for (std::int64_t r = 0; r < rows; ++r)
    RandomKey(key).normal(static_cast<std::uint64_t>(r), 0, static_cast<std::uint32_t>(columns), x.mutable_data_ptr<float>() + r * columns);
  return x;
}

TEST(SignalSet, RemovesElementsAndDirectionsOnce) {
  UnknownSettings unknown = signal_free();
  unknown.signal_free_elements = {3};
  unknown.signal_free_directions = {{1, 1, 0, 0}, {2, 2, 0, 0}};  // the second says nothing new
  const SignalSet set = *SignalSet::declared(unknown, {}, 4);
  const at::Tensor projected = set.project(at::tensor({1.0F, 3.0F, 5.0F, 7.0F}).view({1, 4}));
  EXPECT_LT((projected - at::tensor({-1.0F, 1.0F, 5.0F, 0.0F})).abs().max().item<double>(), 1e-6);
  // Outside: (1 + 3)²/2 + 7² of one row.
  EXPECT_NEAR(set.outside_rms(at::tensor({1.0F, 3.0F, 5.0F, 7.0F}).view({1, 4})), std::sqrt(8.0 + 49.0), 1e-5);
}

TEST(SignalSet, OfARangeClamps) {
  UnknownSettings unknown = signal_free();
  unknown.constraint = "range";
  ModelSettings model;
  model.signal_min = 0.0;
  const SignalSet set = *SignalSet::declared(unknown, model, 2);
  EXPECT_NEAR(set.outside_rms(at::tensor({-3.0F, 2.0F, 1.0F, -4.0F}).view({2, 2})), std::sqrt((9.0 + 16.0) / 2), 1e-6);
}

TEST(SignalSet, IsDeclaredForTwoConstraintsOnly) {
  UnknownSettings unknown = signal_free();
  for (const char* constraint : {"none", "calibration", "largest", "prior"}) {
    unknown.constraint = constraint;
    EXPECT_FALSE(SignalSet::declared(unknown, {}, 4).has_value()) << constraint;
  }
}

TEST(SignalSet, RefusesWhatDoesNotFitTheSignals) {
  UnknownSettings element = signal_free(), direction = signal_free(), all = signal_free();
  element.signal_free_elements = {4};
  direction.signal_free_directions = {{1, 0}};
  all.signal_free_elements = {0, 1, 2, 3};
  const auto message = [](const UnknownSettings& unknown) {
    return test_support::message_of<ConfigError>([&] { SignalSet::declared(unknown, {}, 4); });
  };
  EXPECT_NE(message(element).find("4 is no element of signals with 4"), std::string::npos);
  EXPECT_NE(message(direction).find("a row has 2 numbers; signals have 4 elements"), std::string::npos);
  EXPECT_NE(message(all).find("leave room for signals"), std::string::npos);
}

TEST(ProjectedChannel, PutsOnlyNoiseWhereThereIsNoSignal) {
  UnknownSettings unknown = signal_free();
  unknown.signal_free_elements = {1};
  const auto channel = with_signal_set(awgn(0.5, 3), unknown, {});
  const at::Tensor x_BD = 10.0 * at::ones({4000, 3}), ids_B = at::arange(4000, at::kLong);
  const at::Tensor y_BD = channel->simulate(x_BD, {}, RandomKey(1), ids_B);
  EXPECT_TRUE(at::equal(y_BD.select(1, 0), awgn(0.5, 3)->simulate(x_BD, {}, RandomKey(1), ids_B).select(1, 0)));
  // Mean of 4,000 rows of deviation 0.5: standard error 0.008.
  EXPECT_NEAR(y_BD.select(1, 1).mean().item<double>(), 0.0, 0.04);
  EXPECT_EQ(channel->mean(x_BD, {})[0][1].item<double>(), 0.0);
  EXPECT_EQ(channel->vjp(x_BD, {}, at::ones({4000, 3}))[0][1].item<double>(), 0.0);
  at::Tensor gradient_BD;
  const at::Tensor loglik_B = channel->loglik(x_BD, {}, y_BD, &gradient_BD);
  EXPECT_EQ(gradient_BD[0][1].item<double>(), 0.0);
  EXPECT_TRUE(loglik_B.isfinite().all().item<bool>());
  EXPECT_EQ(channel->configuration()["signal_free"], true);
  EXPECT_TRUE(channel->draw_latents(RandomKey(1), ids_B, x_BD).empty());
}

TEST(ProjectedChannel, IsTheChannelItselfWithoutTheConstraint) {
  UnknownSettings unknown = signal_free();
  unknown.constraint = "none";
  EXPECT_FALSE(with_signal_set(awgn(0.5, 3), unknown, {})->configuration().contains("signal_free"));
}

// E|y − m|² = D σ² (1 + 1/16) in the worlds and D (σ*² + σ²/16) in the data; N D = 1,200 numbers give σ to 1/√2400 = 2 %.
TEST(Calibration, HasTheSignOfTheErrorOfTheNoise) {
  const at::Tensor x_ND = normals(300, 4, 1);
  const CalibrationSet set{x_ND, x_ND + 0.5 * normals(300, 4, 2), {}};
  const auto z = [&](double sigma) {
    const Discrepancy d = calibration_discrepancy(set, *awgn(sigma, 4), 60, RandomKey(3));
    return d.excess / d.error;
  };
  EXPECT_LT(std::abs(z(0.5)), 3.0);
  EXPECT_GT(z(0.6), 5.0);
  EXPECT_LT(z(0.4), -5.0);
  const Discrepancy d = calibration_discrepancy(set, *awgn(0.6, 4), 60, RandomKey(3));
  EXPECT_NEAR(d.excess, 2 * (0.6 * std::sqrt(17.0 / 16) - std::sqrt(0.25 + 0.36 / 16)), 0.06);  // three standard errors of the data
}

TEST(Calibration, NeedsRowsThatBelongTogether) {
  const test_support::TempDir folder;
  const auto write = [&](const char* name, DatasetKind kind, std::int64_t rows) {
    DatasetWriter writer(folder / name, kind, {4});
    const at::Tensor x_ND = normals(rows, 4, 1);
    writer.append({x_ND.const_data_ptr<float>(), static_cast<std::size_t>(x_ND.numel())});
    writer.close();
    return (folder / name).string();
  };
  const std::string known = write("known.h5", DatasetKind::signals, 10), seen = write("seen.h5", DatasetKind::observations, 9);
  EXPECT_NE(test_support::message_of<ConfigError>([&] { read_calibration(known, seen, *awgn(0.5, 4)); }).find("has 10 rows"),
            std::string::npos);
  const std::string other = write("other.h5", DatasetKind::observations, 10);
  EXPECT_EQ(read_calibration(known, other, *awgn(0.5, 4)).y_NM.size(0), 10);
}

// Worlds of half the rows have twice the variance; the observed figure does not know the training rows, the simulated one does.
TEST(FigureDiscrepancy, CountsTheChanceOfTheTrainingRowsForTheSimulatedFigureAlone) {
  diagnostics::GapTest test;
  test.figure = {1.5, 1.0};
  test.figure_worlds = {{1.1, 1.0}, {1.1, 1.2}, {1.1, 0.8}};  // differences 0.1, −0.1, 0.3: mean 0.1, variance 0.04; simulated: variance 0
  test.held_out_rows = 200;
  test.world_rows = 100;
  EXPECT_NEAR(figure_discrepancy(test, 400).excess, 0.4, 1e-12);
  EXPECT_NEAR(figure_discrepancy(test, 400).error, std::sqrt(0.04 * 0.5), 1e-12);
  test.figure_worlds = {{1.1, 1.0}, {0.9, 1.0}, {1.3, 1.0}};  // variance of both 0.04
  EXPECT_NEAR(figure_discrepancy(test, 400).error, std::sqrt(0.04 * 0.5 + 0.04 * 0.25), 1e-12);
}

TEST(Statistics, ShareTheProbabilityOfRejection) {
  UnknownSettings unknown = signal_free();
  unknown.level = 0.9;
  const std::vector<Statistic> both = statistics_of(unknown, 0.1);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_NEAR(both[0].rejection + both[1].rejection, 0.1, 1e-12);
  EXPECT_TRUE(both[1].two_sided);
  unknown.constraint = "none";
  EXPECT_NEAR(statistics_of(unknown, 0.1).front().rejection, 0.1, 1e-12);
}

}  // namespace
}  // namespace unchannel::identification
