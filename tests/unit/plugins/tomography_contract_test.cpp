// The tomography plugin as a host sees it: descriptor, refusals, determinism, failed samples, documented defaults.
#include <gtest/gtest.h>

#include "tomography_support.hpp"

namespace {

using namespace unchannel::test;

TEST(TomographyContract, DescribesItselfWithoutAnInstance) {
  Channel channel(kTomography);
  EXPECT_STREQ(channel.descriptor->id, "org.unchannel.tomography");
  EXPECT_EQ(channel.descriptor->determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE);
  EXPECT_EQ(channel.descriptor->thread_class, UNCHANNEL_THREADS_REENTRANT);
  for (const char* id : {UNCHANNEL_LIFT_1, UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_JVP_1, UNCHANNEL_ADJOINT_1, UNCHANNEL_LOGLIK_1}) {
    EXPECT_NE(channel.module->get_table(0, id), nullptr) << id;
  }
  ASSERT_EQ(channel.configure({8, 8}, {{"noise", std::string("none")}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.extension<void>(UNCHANNEL_LOGLIK_1), nullptr);
}

TEST(TomographyContract, RefusalsNameParameterValueAndRemedyAndChangeNothing) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({8, 8}, {{"noise", std::string("none")}}), UNCHANNEL_OK);
  const auto x = random_array(1, {2, 8, 8});
  const auto before = channel.simulate(1, x, {});
  struct Refused {
    std::vector<int64_t> shape;
    std::map<std::string, Channel::Value> parameters;
    std::vector<const char*> said;
  };
  const std::vector<Refused> all{
      {{8, 9}, {}, {"[N, N]", "[8, 9]", "Pad"}},
      {{8}, {}, {"[8]"}},
      {{3, 8, 8}, {}, {"[3, 8, 8]"}},
      {{1, 1}, {}, {"from 2"}},
      {{5000, 5000}, {}, {"4096"}},
      {{8, 8}, {{"views", int64_t{0}}}, {"views", "0"}},
      {{8, 8}, {{"angle_range_degree", 0.0}}, {"angle_range_degree"}},
      {{8, 8}, {{"angle_range_degree", 361.0}}, {"angle_range_degree", "361"}},
      {{8, 8}, {{"pixel_size", 0.0}}, {"pixel_size"}},
      {{8, 8}, {{"detector_pitch", 9.0}}, {"detector_pitch", "9", "8 pixels"}},
      {{8, 8}, {{"detector_pitch", 1e-9}}, {"detector_pitch", "1e-09", "1/32"}},
      {{8, 8}, {{"detector_pitch", 1.0}, {"pixel_size", 1e-300}}, {"detector_pitch"}},
      {{8, 8}, {{"detector_offset", -8.5}}, {"detector_offset", "-8.5"}},
      {{8, 8}, {{"detector_offset", std::nan("")}}, {"detector_offset"}},
      {{8, 8}, {{"detector_bins", int64_t{65536}}, {"views", int64_t{65536}}}, {"views = 65536", "detector_bins = 65536", "fewer"}},
      {{8, 8}, {{"noise", std::string("pink")}}, {"noise", "pink", "poisson"}},
      {{8, 8}, {{"noise_sigma", 0.0}}, {"noise_sigma"}},
      {{8, 8}, {{"photon_count", 0.0}}, {"photon_count"}},
      {{8, 8}, {{"photon_count", 1e13}}, {"photon_count"}},
      {{8, 8}, {{"lift", std::string("sart")}}, {"lift", "fourier_slice"}},
      {{8, 8}, {{"filter", std::string("cosine")}}, {"filter", "hann"}},
  };
  for (const Refused& refused : all) {
    EXPECT_EQ(channel.configure(refused.shape, refused.parameters), UNCHANNEL_BAD_ARGUMENT) << refused.said[0];
    for (const char* said : refused.said) {
      EXPECT_NE(channel.error.find(said), std::string::npos) << channel.error << " lacks " << said;
    }
  }
  EXPECT_EQ(channel.simulate(1, x, {}).values, before.values);
}

struct Config {
  const char* name;
  std::map<std::string, Channel::Value> parameters;
};
void PrintTo(const Config& c, std::ostream* out) { *out << c.name; }

class Determinism : public testing::TestWithParam<Config> {};

TEST_P(Determinism, BitsDoNotDependOnSplitOrderOrThreads) {
  constexpr int64_t kCount = 7, kPixels = 40;
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({kPixels, kPixels}, GetParam().parameters), UNCHANNEL_OK) << channel.error;
  const auto x = random_array(2, {kCount, kPixels, kPixels}, 0.01F, 0.02F);
  const auto y = channel.simulate(9, x, {}, 100);
  const auto lifted = channel.lift(y, {});
  const auto back = adjoint(channel, y, {kCount, kPixels, kPixels});
  for (int64_t i = kCount - 1; i >= 0; --i) {
    const auto alone = one({1, kPixels, kPixels}, {x.row(i), x.row(i) + kPixels * kPixels});
    const auto y_alone = channel.simulate(9, alone, {}, static_cast<uint64_t>(100 + i));
    ASSERT_EQ(y_alone.values, std::vector<float>(y.row(i), y.row(i + 1))) << i;
    ASSERT_EQ(channel.lift(y_alone, {}).values, std::vector<float>(lifted.row(i), lifted.row(i + 1))) << i;
    ASSERT_EQ(adjoint(channel, y_alone, {1, kPixels, kPixels}).values, std::vector<float>(back.row(i), back.row(i + 1))) << i;
  }
  channel.services[UNCHANNEL_SERVICE_THREAD_POOL_1] = &ReversePool::kTable;
  EXPECT_EQ(channel.simulate(9, x, {}, 100).values, y.values);
  EXPECT_EQ(channel.lift(y, {}).values, lifted.values);
  EXPECT_EQ(adjoint(channel, y, {kCount, kPixels, kPixels}).values, back.values);
  Channel again(kTomography);
  ASSERT_EQ(again.configure({kPixels, kPixels}, GetParam().parameters), UNCHANNEL_OK);
  EXPECT_EQ(again.simulate(9, x, {}, 100).values, y.values);
  EXPECT_EQ(again.simulate(10, x, {}, 100).values == y.values, GetParam().name == std::string("none"));
}
INSTANTIATE_TEST_SUITE_P(Noise, Determinism,
                         testing::Values(Config{"none", {{"noise", std::string("none")}}}, Config{"gaussian", {{"views", int64_t{31}}}},
                                         Config{"poisson",
                                                {{"noise", std::string("poisson")},
                                                 {"photon_count", 100.0},
                                                 {"views", int64_t{31}},
                                                 {"lift", std::string("fourier_slice")}}}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(TomographyContract, ConcurrentConfigureAndUseDoNotDisturbEachOther) {
  const auto x = random_array(2, {2, 24, 24});
  const auto work = [&x](std::vector<float>& y) {
    for (int repetition = 0; repetition < 20; ++repetition) {  // plans are made and destroyed in one thread while the other transforms
      Channel channel(kTomography);
      if (channel.configure({24, 24}, {{"views", int64_t{5}}, {"noise", std::string("none")}}) == UNCHANNEL_OK) {
        y = channel.simulate(1, x, {}).values;
      }
    }
  };
  std::vector<float> first, second, alone;
  std::thread other(work, std::ref(first));
  work(second);
  other.join();
  work(alone);
  EXPECT_EQ(first, alone);
  EXPECT_EQ(second, alone);
}

TEST(TomographyContract, BadSamplesCostOnlyThemselves) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({16, 16}, {{"views", int64_t{4}}, {"noise", std::string("poisson")}}), UNCHANNEL_OK);
  auto x = random_array(1, {4, 16, 16}, 0.01F);
  const auto good = channel.simulate(1, x, {});
  x.row(1)[5] = std::nanf("");
  std::fill_n(x.row(2), 256, -10.0F);  // 10^4 exp(160) photons
  const auto y = channel.simulate(1, x, {});
  EXPECT_EQ(channel.status, UNCHANNEL_OK);
  EXPECT_EQ(channel.sample_status,
            (std::vector<int32_t>{UNCHANNEL_SAMPLE_OK, UNCHANNEL_SAMPLE_NOT_FINITE, UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, UNCHANNEL_SAMPLE_OK}));
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t d = 0; d < y.width(); ++d) {
      ASSERT_EQ(y.row(i)[d], i % 3 == 0 ? good.row(i)[d] : 0.0F);
    }
  }
}

TEST(TomographyContract, DocumentedDefaultsAreThePluginsOwn) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({8, 8}), UNCHANNEL_OK);
  EXPECT_EQ(unchannel::test::documented_parameters(UNCHANNEL_SOURCE_DIR "/plugins/tomography/tomography.toml"), channel.canonical);
}

}  // namespace
