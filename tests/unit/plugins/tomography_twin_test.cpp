// The steps of the CUDA twin against the plugin on the CPU. One suite for both launchers; on the GPU it has never run so far.
#include <gtest/gtest.h>

#include <cmath>

#include "tomography_support.hpp"
#include "tomography_twin.hpp"
#include "transforms.hpp"
#if defined(TOMOGRAPHY_CUDA)
#include "tomography_cuda_twin.hpp"
#endif

namespace {

using namespace unchannel::test;
using tomography::Noise;
using tomography::NoiseModel;

#if !defined(TOMOGRAPHY_CUDA)
struct CudaTwin : CpuTwin {
  using CpuTwin::CpuTwin;
  static std::string missing() { return "this build has no CUDA (preset cuda)"; }
};
#endif

// Both sides compute in float32 and add some hundred numbers up in different orders: some 2^-24 times the root of that many roundings.
constexpr double kTolerance = 1e-6;

/// The plugin on the CPU, and the operators of the same configuration.
struct Setting {
  int64_t pixels, views, bins;
  double start_degree = 0, range_degree = 180, pitch = 1, offset = 0;
  std::string lift = "filtered_back_projection", filter = "ramp", noise = "none";
  double sigma = 0.5, photon_count = 1000;

  [[nodiscard]] tomography::Geometry geometry() const {
    tomography::Geometry geometry{pixels, 1, {}, {}, bins, pitch, offset};
    set_angles(geometry, views, start_degree, range_degree);
    return geometry;
  }
  [[nodiscard]] NoiseModel model() const {
    return {noise == "none" ? Noise::kNone : noise == "poisson" ? Noise::kPoisson : Noise::kGaussian, sigma, photon_count};
  }
  void configure(Channel& channel) const {
    ASSERT_EQ(channel.configure({pixels, pixels}, {{"views", views},
                                                   {"detector_bins", bins},
                                                   {"angle_start_degree", start_degree},
                                                   {"angle_range_degree", range_degree},
                                                   {"detector_pitch", pitch},
                                                   {"detector_offset", offset},
                                                   {"lift", lift},
                                                   {"filter", filter},
                                                   {"noise", noise},
                                                   {"noise_sigma", sigma},
                                                   {"photon_count", photon_count}}),
              UNCHANNEL_OK)
        << channel.error;
  }
};

const std::vector<Setting> kSettings = {{2, 1, 3},
                                        {17, 9, 30, -100, 360},
                                        {40, 31, 57},
                                        {45, 12, 20, 10, 120, 2.3, 0.7},  // bins wider than a pixel
                                        {64, 60, 150, 0, 180, 0.6, -3, "fourier_slice"},
                                        {32, 20, 46, 0, 180, 1, 0, "filtered_back_projection", "hann"}};

template <class Runner>
class Twin : public testing::Test {
 protected:
  void SetUp() override {
    if (!Runner::missing().empty()) {
      GTEST_SKIP() << Runner::missing();
    }
  }
  struct Pieces {
    explicit Pieces(const Setting& setting)
        : grid(setting.pixels),
          geometry(setting.geometry()),
          project(tomography::projector(geometry, grid)),
          lift(setting.lift == "fourier_slice"
                   ? tomography::fourier_slice(geometry, grid)
                   : tomography::filtered_back_projection(
                         geometry, grid, setting.filter == "hann" ? tomography::Filter::kHann : tomography::Filter::kRamp)) {}
    tomography::ImageGrid grid;
    tomography::Geometry geometry;
    tomography::SliceOperator project, lift;
  };
  static std::vector<uint64_t> ids(int64_t count) {
    std::vector<uint64_t> ids;
    for (int64_t i = 0; i < count; ++i) {
      ids.push_back(static_cast<uint64_t>(100 + i));
    }
    return ids;
  }
  /// Noise keys as the plugin derives them from the key of the call.
  static uint64_t noise_key(uint64_t key) { return unchannel_derive(key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0)); }
};
using Runners = testing::Types<CpuTwin, CudaTwin>;
struct RunnerName {
  template <class Runner>
  static std::string GetName(int) {
    return std::is_same_v<Runner, CpuTwin> ? "Cpu" : "Cuda";
  }
};
TYPED_TEST_SUITE(Twin, Runners, RunnerName);

TYPED_TEST(Twin, ProjectsAsThePluginDoes) {
  for (const Setting& setting : kSettings) {
    Channel channel(kTomography);
    setting.configure(channel);
    const auto x = random_array(3, {4, setting.pixels, setting.pixels});
    const typename TestFixture::Pieces pieces(setting);
    const TwinResult twin = TypeParam(pieces.project.tables()).simulate({Noise::kNone, 0, 0}, 0, this->ids(4), x.values);
    EXPECT_LT(relative_error(twin.values, channel.simulate(1, x, {}).values), kTolerance) << setting.pixels;
    EXPECT_EQ(twin.status, std::vector<int32_t>(4));
  }
}

TYPED_TEST(Twin, TransposesAsThePluginDoes) {
  for (const Setting& setting : kSettings) {
    Channel channel(kTomography);
    setting.configure(channel);
    const auto y = random_array(4, {4, setting.views, setting.bins});
    const typename TestFixture::Pieces pieces(setting);
    const TwinResult twin = TypeParam(pieces.project.tables()).transpose(y.values);
    EXPECT_LT(relative_error(twin.values, adjoint(channel, y, {4, setting.pixels, setting.pixels}).values), kTolerance) << setting.pixels;
  }
}

TYPED_TEST(Twin, LiftsAsThePluginDoes) {
  for (const Setting& setting : kSettings) {
    Channel channel(kTomography);
    setting.configure(channel);
    const auto y = random_array(5, {4, setting.views, setting.bins});
    const typename TestFixture::Pieces pieces(setting);
    const TwinResult twin = TypeParam(pieces.lift.tables()).transpose(y.values);
    EXPECT_LT(relative_error(twin.values, channel.lift(y, {}).values), kTolerance) << setting.pixels;
  }
}

TYPED_TEST(Twin, DrawsTheGaussianNoiseOfThePlugin) {
  const Setting setting{.pixels = 17, .views = 9, .bins = 25, .noise = "gaussian"};  // 225 bins: the last block of numbers is cut
  Channel channel(kTomography);
  setting.configure(channel);
  const auto x = random_array(3, {5, 17, 17});
  const typename TestFixture::Pieces pieces(setting);
  const TwinResult twin = TypeParam(pieces.project.tables()).simulate(setting.model(), this->noise_key(9), this->ids(5), x.values);
  EXPECT_LT(relative_error(twin.values, channel.simulate(9, x, {}, 100).values), kTolerance);
}

TYPED_TEST(Twin, CountsThePhotonsOfThePlugin) {
  const Setting setting{.pixels = 24, .views = 30, .bins = 34, .noise = "poisson", .photon_count = 300};
  Channel channel(kTomography);
  setting.configure(channel);
  const auto x = random_array(3, {5, 24, 24}, 0.05F, 0.05F);
  const typename TestFixture::Pieces pieces(setting);
  const TwinResult twin = TypeParam(pieces.project.tables()).simulate(setting.model(), this->noise_key(9), this->ids(5), x.values);
  const auto expected = channel.simulate(9, x, {}, 100).values;
  int other_count = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    other_count += std::abs(twin.values[i] - expected[i]) > 1e-6F * std::abs(expected[i]) ? 1 : 0;
  }
  // Expected photons differ by some 1e-6 · 300, so about 3e-4 of the bins may count one photon more or less; there are 5100.
  EXPECT_LE(other_count, 10);
}

TYPED_TEST(Twin, LoglikAndItsGradientAreThePlugins) {
  for (const char* noise : {"gaussian", "poisson"}) {
    const Setting setting{.pixels = 20, .views = 11, .bins = 29, .noise = noise};
    Channel channel(kTomography);
    setting.configure(channel);
    const auto x = random_array(3, {4, 20, 20}, 0.05F, 0.05F);
    const auto y = channel.simulate(9, x, {});
    Array<float> gradient({4, 20, 20});
    const auto expected = channel.loglik(y, x, {}, &gradient);
    const typename TestFixture::Pieces pieces(setting);
    const TwinResult twin = TypeParam(pieces.project.tables()).loglik(setting.model(), y.values, x.values);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(twin.loglik[i], expected[i], kTolerance * std::abs(expected[i])) << noise;
    }
    // The residual is a difference of nearly equal numbers: its error is that of the projections, which are larger.
    EXPECT_LT(relative_error(twin.values, gradient.values), 10 * kTolerance) << noise;
  }
}

TYPED_TEST(Twin, BadSamplesCostOnlyThemselves) {
  const Setting setting{.pixels = 16, .views = 4, .bins = 23, .noise = "poisson", .photon_count = 10000};
  const typename TestFixture::Pieces pieces(setting);
  TypeParam runner(pieces.project.tables());
  auto x = random_array(1, {5, 16, 16}, 0.01F);
  const TwinResult good = runner.simulate(setting.model(), 1, this->ids(5), x.values);
  const auto y = good.values;
  x.row(1)[5] = std::nanf("");
  std::fill_n(x.row(3), 256, -10.0F);  // 10^4 exp(160) photons
  const std::vector<int32_t> status = {0, UNCHANNEL_SAMPLE_NOT_FINITE, 0, UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, 0};
  const auto expect_zero_where_bad = [&](const std::vector<float>& got, const std::vector<float>& expected) {
    const size_t width = got.size() / 5;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i], status[i / width] == 0 ? expected[i] : 0) << i;
    }
  };
  const TwinResult simulated = runner.simulate(setting.model(), 1, this->ids(5), x.values);
  EXPECT_EQ(simulated.status, status);
  expect_zero_where_bad(simulated.values, good.values);
  const auto gradient = runner.loglik(setting.model(), y, random_array(1, {5, 16, 16}, 0.01F).values);
  const TwinResult scored = runner.loglik(setting.model(), y, x.values);
  EXPECT_EQ(scored.status, status);
  expect_zero_where_bad(scored.values, gradient.values);
  EXPECT_EQ(scored.loglik, (std::vector<double>{gradient.loglik[0], 0, gradient.loglik[2], 0, gradient.loglik[4]}));
  auto broken = y;
  broken[static_cast<size_t>(4 * 23) + 7] = std::nanf("");
  EXPECT_EQ(runner.transpose(broken).status, (std::vector<int32_t>{0, UNCHANNEL_SAMPLE_NOT_FINITE, 0, 0, 0}));
}

TYPED_TEST(Twin, BitsOfASampleDoNotDependOnTheBatch) {
  const Setting setting{.pixels = 33, .views = 14, .bins = 47, .noise = "gaussian"};
  const typename TestFixture::Pieces pieces(setting);
  TypeParam runner(pieces.project.tables());
  constexpr size_t kCount = 37;  // more than two groups on a GPU
  const auto x = random_array(6, {kCount, 33, 33});
  const auto ids = this->ids(kCount);
  const TwinResult whole = runner.simulate(setting.model(), 5, ids, x.values);
  const TwinResult back = runner.transpose(whole.values);
  const size_t bins = whole.values.size() / kCount, pixels = back.values.size() / kCount;
  const auto part = [](const std::vector<float>& of, size_t width, size_t i) {
    return std::vector<float>(of.begin() + static_cast<std::ptrdiff_t>(i * width),
                              of.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
  };
  for (const size_t i : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{36}}) {
    ASSERT_EQ(runner.simulate(setting.model(), 5, {ids[i]}, part(x.values, pixels, i)).values, part(whole.values, bins, i)) << i;
    ASSERT_EQ(runner.transpose(part(whole.values, bins, i)).values, part(back.values, pixels, i)) << i;
  }
}

TEST(TwinSteps, ItemsMayRunInAnyOrder) {
  const Setting setting{.pixels = 20, .views = 11, .bins = 29, .noise = "poisson"};
  const tomography::ImageGrid grid(setting.pixels);
  const tomography::SliceOperator project = tomography::projector(setting.geometry(), grid);
  CpuTwin forwards(project.tables()), backwards(project.tables(), true);
  const auto x = random_array(3, {4, 20, 20}, 0.05F, 0.05F).values;
  const std::vector<uint64_t> ids = {4, 5, 6, 7};
  const TwinResult y = forwards.simulate(setting.model(), 2, ids, x), scored = forwards.loglik(setting.model(), y.values, x);
  EXPECT_EQ(y.values, backwards.simulate(setting.model(), 2, ids, x).values);
  EXPECT_EQ(forwards.transpose(y.values).values, backwards.transpose(y.values).values);
  EXPECT_EQ(scored.loglik, backwards.loglik(setting.model(), y.values, x).loglik);
  EXPECT_EQ(scored.values, backwards.loglik(setting.model(), y.values, x).values);
}

}  // namespace
