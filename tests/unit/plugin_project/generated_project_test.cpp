// The real templates, as their users meet them: written, built against this build tree, probed by ctest, loaded, and compared with the
// formula in float64.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>
#include <regex>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/plugin_project/new_project.hpp>
#include <unchannel/plugin_project/templates.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "plugin_driver.hpp"
#include "project_build.hpp"

namespace unchannel {
namespace {

using test::Array;
using test::Channel;

class CompiledTemplate : public testing::TestWithParam<std::string> {
 protected:
  /// Written and built once a language, since CMake takes seconds.
  static const std::filesystem::path& built(const std::string& language) {
    static std::map<std::string, std::filesystem::path> folders;
    static const test_support::TempDir scratch;
    const auto [found, is_new] = folders.emplace(language, scratch / (language == "c" ? "in_c" : "in_cpp"));
    if (is_new) {
      const std::filesystem::path& folder = found->second;
      write_new_project({.name = "lens", .language = language, .folder = folder});
      test::build_project(folder, folder / "build");
    }
    return found->second;
  }
  std::filesystem::path folder() const { return built(GetParam()); }
  std::string plugin() const { return folder() / "build/plugins/lens.so"; }
};

TEST_P(CompiledTemplate, IsShorterThan150Lines) {
  long lines = 0;
  for (const TemplateFile& file : filled_template(find_templates(), GetParam(), "lens")) {
    lines += std::count(file.text.begin(), file.text.end(), '\n');
  }
  EXPECT_LT(lines, 150);
  EXPECT_GT(lines, 50);
}

TEST_P(CompiledTemplate, CtestOfTheProjectProbesThePlugin) {
  // Whether lens.info and lens.check can run depends on what this build tree holds; they may be disabled, and must not fail.
  const std::string output = test::run({CTEST_PROGRAM, "--test-dir", folder() / "build", "--output-on-failure", "--no-tests=error"});
  EXPECT_NE(output.find("0 tests failed out of "), std::string::npos) << output;
  EXPECT_TRUE(std::regex_search(output, std::regex("lens\\.loads \\.* +Passed"))) << output;
  EXPECT_NE(output.find("lens.check"), std::string::npos) << output;
}

TEST_P(CompiledTemplate, TomlHoldsTheDefaultsOfTheSchema) {
  Channel channel(plugin());
  ASSERT_EQ(channel.core->parameter_count(channel.instance), 3u);
  const std::string toml = read_file(folder() / "lens.toml");
  for (uint32_t i = 0; i < 3; ++i) {
    const unchannel_parameter& p = *channel.core->parameter(channel.instance, i);
    EXPECT_NE(toml.find(fmt::format("\n{} = {}", p.id, p.default_f64)), std::string::npos) << p.id;
    EXPECT_STRNE(p.unit, "");
  }
  EXPECT_NE(toml.find(fmt::format("id = \"{}\"", channel.descriptor->id)), std::string::npos);
  EXPECT_STREQ(channel.descriptor->id, "org.example.lens");
}

TEST_P(CompiledTemplate, SimulatesItsFormula) {
  Channel channel(plugin());
  ASSERT_EQ(channel.configure({2, 3}, {{"gain_min", 0.5}, {"gain_max", 2.0}, {"noise_sigma", 0.25}}), UNCHANNEL_OK) << channel.error;
  EXPECT_EQ(channel.y_shape, (std::vector<int64_t>{2, 3}));
  Array<float> x({5, 2, 3});
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] = 0.5F * static_cast<float>(i) - 3;
  const uint64_t draw_key = 17, key = 31, id0 = uint64_t{1} << 40;
  const auto latents = channel.draw(draw_key, 5, id0);
  const auto y = channel.simulate(key, x, latents, id0), mean = channel.mean(x, latents);
  for (uint32_t i = 0; i < 5; ++i) {
    const double u = unchannel_uniform(unchannel_derive(draw_key, unchannel_tag(UNCHANNEL_TAG_LATENT, 0)), id0 + i, 0, 0);
    const float gain = std::get<Array<float>>(latents.at("gain")).values[i];
    EXPECT_EQ(gain, static_cast<float>(0.5 + 1.5 * u));
    for (uint32_t d = 0; d < 6; ++d) {
      const double signal = x.values[i * 6 + d], clean = static_cast<double>(gain) * signal;
      const double n = unchannel_normal(unchannel_derive(key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0)), id0 + i, d, 0);
      // Two products and a sum in float32, each rounded by 2^-24 of its size.
      const double tolerance = std::ldexp(2 * std::abs(clean) + 2 * std::abs(0.25 * n), -24);
      EXPECT_NEAR(y.values[i * 6 + d], clean + 0.25 * n, tolerance);
      EXPECT_NEAR(mean.values[i * 6 + d], clean, tolerance);
    }
  }
}

TEST_P(CompiledTemplate, GivesASampleTheSameBitsInAnyBatch) {
  Channel channel(plugin());
  ASSERT_EQ(channel.configure({7}), UNCHANNEL_OK) << channel.error;
  const Array<float> x({40, 7}, 1.5F), one({1, 7}, 1.5F);
  const auto whole = channel.simulate(3, x, channel.draw(4, 40, 100), 100);
  const auto single = channel.simulate(3, one, channel.draw(4, 1, 137), 137);
  EXPECT_TRUE(std::equal(single.row(0), single.row(0) + 7, whole.row(37)));
}

TEST_P(CompiledTemplate, VjpIsTheAdjointOfTheMean) {
  Channel channel(plugin());
  ASSERT_EQ(channel.configure({64}), UNCHANNEL_OK) << channel.error;
  Array<float> x({3, 64}), cotangent({3, 64});
  for (uint32_t i = 0; i < 192; ++i) {
    x.values[i] = unchannel_normal(1, 1, i, 0), cotangent.values[i] = unchannel_normal(1, 2, i, 0);
  }
  const auto latents = channel.draw(9, 3);
  const auto mean = channel.mean(x, latents), gradient = channel.vjp(x, cotangent, latents);
  for (int64_t i = 0; i < 3; ++i) {  // <c, J x> = <J^T c, x>: the mean is linear
    double forward = 0, backward = 0, size = 0;
    for (int64_t d = 0; d < 64; ++d) {
      const auto c = static_cast<double>(cotangent.row(i)[d]), m = static_cast<double>(mean.row(i)[d]);
      forward += c * m, size += std::abs(c * m);
      backward += static_cast<double>(gradient.row(i)[d]) * static_cast<double>(x.row(i)[d]);
    }
    EXPECT_NEAR(forward, backward, size * std::ldexp(2, -24));  // every product rounded once on each side
  }
}

TEST_P(CompiledTemplate, RefusesGainsTheWrongWayRoundAndKeepsTheFormerConfiguration) {
  Channel channel(plugin());
  ASSERT_EQ(channel.configure({2}, {{"gain_min", 1.0}, {"gain_max", 1.0}, {"noise_sigma", 0.0}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.configure({3}, {{"gain_min", 2.0}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.error, "gain_min = 2 must not be above gain_max = 1.2.");
  EXPECT_EQ(channel.configure({3}, {{"noise_sigma", -1.0}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.configure({3}, {{"noise_sigma", std::nan("")}}), UNCHANNEL_BAD_ARGUMENT);
  const Array<float> x({1, 2}, 3.0F);
  EXPECT_EQ(channel.simulate(1, x, channel.draw(1, 1)).values, x.values);
}

TEST_P(CompiledTemplate, ASampleWithALatentThatIsNoNumberFailsAlone) {
  Channel channel(plugin());
  ASSERT_EQ(channel.configure({2}, {{"noise_sigma", 0.0}}), UNCHANNEL_OK);
  Array<float> gain({3}, 1.0F);
  gain.values[1] = NAN;
  const auto y = channel.simulate(1, Array<float>({3, 2}, 4.0F), {{"gain", gain}});
  EXPECT_EQ(y.values, (std::vector<float>{4, 4, 0, 0, 4, 4}));
  EXPECT_EQ(channel.sample_status, (std::vector<int32_t>{0, UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, 0}));
}

INSTANTIATE_TEST_SUITE_P(Language, CompiledTemplate, testing::Values("c", "c++"),
                         [](const auto& language) { return std::string(language.param == "c" ? "C" : "Cpp"); });

}  // namespace
}  // namespace unchannel
