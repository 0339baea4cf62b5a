// The built-in channels, each with parameters that make all of it work, for tests that hold for every one of them.
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/linspace.h>

#include <memory>
#include <string>
#include <unchannel/tensor/channel_factory.hpp>
#include <vector>

namespace unchannel::test {

struct BuiltInCase {
  std::string name;
  std::string id;
  std::vector<std::int64_t> shape;
  nlohmann::json parameters;
};

inline std::unique_ptr<Channel> built_in(const std::string& id, const std::vector<std::int64_t>& shape, const nlohmann::json& parameters,
                                         const nlohmann::json& latents = nlohmann::json::object()) {
  ChannelSettings settings;
  settings.id = id;
  settings.parameters = parameters;
  settings.latents = latents;
  return make_channel(PluginRegistry({.default_folders = false}), settings, shape);
}

inline std::unique_ptr<Channel> made(const BuiltInCase& what) { return built_in(what.id, what.shape, what.parameters); }

/// Smooth rows [B, D] in [-0.9, 0.9], no two alike.
inline at::Tensor signal_rows(std::int64_t b, const std::vector<std::int64_t>& shape) {
  std::int64_t d = 1;
  for (const std::int64_t extent : shape) d *= extent;
  return at::linspace(0, 40, b * d, at::kFloat).square().sin().mul(0.9).view({b, d});
}

inline at::Tensor id_range(std::int64_t first, std::int64_t count) { return at::arange(first, first + count, at::kLong); }

inline const std::vector<BuiltInCase>& built_in_cases() {
  static const std::vector<std::int64_t> image = {3, 8, 12}, line = {30};
  static const std::vector<BuiltInCase> cases = {
      {"awgn", "awgn", image, {{"sigma", 0.5}}},
      {"random_mask", "random_mask", image, {{"hidden_share", 0.4}, {"noise_sigma", 0.1}}},
      {"random_mask_of_lines", "random_mask", line, {{"hidden_share", 0.4}, {"noise_sigma", 0.1}}},
      {"block_mask", "block_mask", image, {{"height", 3}, {"width", 5}, {"noise_sigma", 0.2}}},
      {"gaussian_blur_mirror", "gaussian_blur", image, {{"blur_sigma", 1.0}, {"boundary", "mirror"}}},
      {"gaussian_blur_reflect", "gaussian_blur", image, {{"blur_sigma", 1.3}, {"boundary", "reflect"}}},
      {"gaussian_blur_periodic", "gaussian_blur", image, {{"blur_sigma", 1.0}, {"boundary", "periodic"}}},
      {"gaussian_blur_zero", "gaussian_blur", image, {{"blur_sigma", 3.0}, {"boundary", "zero"}}},
      {"gaussian_blur_of_lines", "gaussian_blur", line, {{"blur_sigma", 2.0}}},
      {"motion_blur_zero", "motion_blur", image, {{"length", 7}}},
      {"motion_blur_mirror", "motion_blur", image, {{"length", 9}, {"boundary", "mirror"}}},
      {"motion_blur_reflect", "motion_blur", {8, 12}, {{"length", 5}, {"boundary", "reflect"}}},
      {"motion_blur_periodic", "motion_blur", image, {{"length", 5}, {"boundary", "periodic"}}},
      {"poisson", "poisson", image, {{"lambda", 0.05}}},
      {"poisson_additive", "poisson_additive", image, {{"rate", 0.3}}},
      {"downsample", "downsample", image, {{"factor", 4}, {"noise_sigma", 0.1}}},
      {"downsample_of_lines", "downsample", line, {{"factor", 3}, {"lift", "nearest"}}},
      {"quantise", "quantise", image, {{"levels", 7}}},
      {"quantise_with_dither", "quantise", image, {{"levels", 7}, {"dither_steps", 1.0}}},
      {"noise", "noise", image, nlohmann::json::object()},
  };
  return cases;
}

}  // namespace unchannel::test
