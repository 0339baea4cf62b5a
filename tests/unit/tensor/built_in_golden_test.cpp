// The built-in channels against NumPy and SciPy: golden/make_golden.py.
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <unchannel/tensor/channel_factory.hpp>

#include "built_in_cases.hpp"

namespace unchannel::test {
namespace {

constexpr std::int64_t kBatch = 2, kKept = 5;

nlohmann::json golden() {
  std::ifstream file(UNCHANNEL_SOURCE_DIR "/tests/unit/tensor/golden/built_in_channels.json");
  return nlohmann::json::parse(file);
}

/// The same in make_golden.py.
at::Tensor golden_signals(const std::vector<std::int64_t>& shape) {
  std::int64_t d = 1;
  for (const std::int64_t extent : shape) d *= extent;
  at::Tensor x_BD = at::empty({kBatch, d}, at::kFloat);
  for (std::int64_t i = 0; i < x_BD.numel(); ++i) {
    const auto place = static_cast<double>(i);
    x_BD.mutable_data_ptr<float>()[i] = static_cast<float>(std::sin(0.37 * (place + 1) + 0.01 * std::pow(place, 1.5)));
  }
  return x_BD;
}

std::unique_ptr<Channel> channel_of(const nlohmann::json& what, const std::vector<std::int64_t>& shape) {
  if (what["id"] != "compose") return built_in(what["id"], shape, what["parameters"]);
  ChannelSettings settings;
  settings.id = "compose";
  for (const auto& stage : what["stages"]) settings.stages.push_back({stage["id"], stage["parameters"], nlohmann::json::object()});
  return make_channel(PluginRegistry({.default_folders = false}), settings, shape);
}

void expect_near(const at::Tensor& got, const nlohmann::json& expected, double tolerance, const std::string& what) {
  const at::Tensor flat = got.to(at::kDouble).contiguous().view({-1});
  ASSERT_EQ((flat.numel() + kKept - 1) / kKept, static_cast<std::int64_t>(expected.size())) << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::int64_t place = static_cast<std::int64_t>(i) * kKept;
    EXPECT_NEAR(flat[place].item<double>(), expected[i].get<double>(), tolerance) << what << ", element " << place;
  }
}

TEST(BuiltInGolden, IsWhatNumpyAndScipyCompute) {
  const nlohmann::json cases = golden();
  ASSERT_GE(cases.size(), 22u);
  for (const nlohmann::json& what : cases) {
    const std::string name = what["id"].get<std::string>() + " " + what.value("parameters", what.value("stages", nlohmann::json())).dump();
    const auto shape = what["shape"].get<std::vector<std::int64_t>>();
    const auto channel = channel_of(what, shape);
    Latents latents;
    const at::Tensor y_BM = measure(*channel, golden_signals(shape), {}, RandomKey(what["key"].get<std::uint64_t>()),
                                    id_range(what["first_id"].get<std::int64_t>(), kBatch), &latents);
    // Values of order one from some twenty float32 operations of 6e-8 each; the direction of a motion blur has 2e-7 of its own.
    expect_near(y_BM, what["y"], 3e-6, name);
    ASSERT_EQ(latents.size(), what["latents"].size()) << name;
    for (const auto& [latent, values] : what["latents"].items()) expect_near(latents.at(latent), values, 5e-7, name + " " + latent);
    if (what.contains("lifted")) expect_near(channel->lift(y_BM, latents), what["lifted"], 3e-6, name + " lifted");
  }
}

}  // namespace
}  // namespace unchannel::test
