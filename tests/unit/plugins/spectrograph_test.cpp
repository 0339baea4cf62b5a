// The spectrograph as any host sees it: loaded with dlopen. The golden file comes from golden/make_golden.py (SciPy, NumPy twin of the
// random numbers).
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "plugin_driver.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;
using unchannel::test::documented_parameters;
using unchannel::test::ReversePool;

const std::string kLibrary = UNCHANNEL_BINARY_DIR "/plugins/spectrograph.so";
constexpr int64_t kPixels = 1024;

/// A smooth spectrum near one with a line, the same in make_golden.py.
Array<float> spectra(int64_t count, int64_t pixels = kPixels) {
  Array<float> x({count, pixels});
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t d = 0; d < pixels; ++d) {
      const double u = static_cast<double>(d) / static_cast<double>(pixels);
      const double line = (u - 0.3 - 0.01 * static_cast<double>(i)) / 0.004;
      x.row(i)[d] = static_cast<float>(1 + 0.3 * std::cos(7 * u + static_cast<double>(i)) + 2 * std::exp(-0.5 * line * line));
    }
  }
  return x;
}

Channel::Latents constant_latents(const Channel& channel, int64_t count, double resolution, double snr) {
  Channel::Latents latents;
  if (channel.active("resolution")) {
    latents.emplace("resolution", Array<float>({count}, static_cast<float>(resolution)));
  }
  if (channel.active("snr")) {
    latents.emplace("snr", Array<float>({count}, static_cast<float>(snr)));
  }
  return latents;
}

struct Survey {
  Array<float> ivar;
  Array<int32_t> mask;
};
/// Variance rising along the spectrum, pixels 10 … 19 masked, 20 … 24 without inverse variance.
Survey survey(int64_t count, int64_t pixels = kPixels) {
  Survey s{Array<float>({count, pixels}), Array<int32_t>({count, pixels})};
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t d = 0; d < pixels; ++d) {
      s.ivar.row(i)[d] = 4 + static_cast<float>(d % 7);
      if (d >= 10 && d < 20) {
        s.mask.row(i)[d] = 1;
      }
      if (d >= 20 && d < 25) {
        s.ivar.row(i)[d] = 0;
      }
    }
  }
  return s;
}
Channel::Latents survey_latents(const Survey& s) {
  Channel::Latents latents;
  latents.emplace("ivar", s.ivar);
  latents.emplace("mask", s.mask);
  return latents;
}

TEST(Spectrograph, DescribesItselfWithoutAnInstance) {
  Channel channel(kLibrary);
  EXPECT_STREQ(channel.descriptor->id, "org.unchannel.spectrograph");
  EXPECT_EQ(channel.descriptor->determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE);
  EXPECT_EQ(channel.module->channel_count(), 1U);
  EXPECT_EQ(channel.module->channel_descriptor(1), nullptr);
  EXPECT_NE(channel.module->get_table(0, UNCHANNEL_VJP_1), nullptr);
  EXPECT_EQ(channel.module->get_table(0, UNCHANNEL_JVP_1), nullptr);
  EXPECT_EQ(channel.module->get_table(0, "no such table"), nullptr);
}

TEST(Spectrograph, RefusesNonsenseAndKeepsTheFormerConfiguration) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({8}, {{"noise", "none"}}), UNCHANNEL_OK);
  const auto before = channel.simulate(1, spectra(2, 8), {});
  EXPECT_EQ(channel.configure({8}, {{"wavelength_min_angstrom", 6000.0}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("wavelength_min_angstrom"), std::string::npos) << channel.error;
  EXPECT_EQ(channel.configure({8}, {{"snr_min", 3.0}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.configure({8}, {{"snr_min", 0.0}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.configure({8}, {{"noise", "pink"}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.configure({8}, {{"resolution_delta_ln_lambda", std::nan("")}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.configure({8, 8}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.configure({1}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.simulate(1, spectra(2, 8), {}).values, before.values);
}

TEST(Spectrograph, OffersOnlyWhatTheConfigurationAllows) {
  Channel channel(kLibrary);
  EXPECT_NE(channel.extension<void>(UNCHANNEL_LOGLIK_1), nullptr);
  ASSERT_EQ(channel.configure({8}, {{"noise", "none"}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.extension<void>(UNCHANNEL_LOGLIK_1), nullptr);
  EXPECT_EQ(channel.extension<void>(UNCHANNEL_LIFT_1), nullptr);
  EXPECT_NE(channel.extension<void>(UNCHANNEL_MEAN_1), nullptr);
  ASSERT_EQ(channel.configure({8}, {{"noise", "ivar"}}), UNCHANNEL_OK);
  EXPECT_NE(channel.extension<void>(UNCHANNEL_LOGLIK_1), nullptr);
  EXPECT_NE(channel.extension<void>(UNCHANNEL_LIFT_1), nullptr);
}

TEST(Spectrograph, AgreesWithTheSciPyGoldenFile) {
  std::ifstream file(UNCHANNEL_SOURCE_DIR "/tests/unit/plugins/golden/spectrograph.txt");
  ASSERT_TRUE(file) << "the golden file is missing";
  std::string line;
  int rows = 0;
  Channel channel(kLibrary);
  std::string name;
  double fwhm = 0, spread = 0, multiplicative = 0, additive = 0, snr_min = 0, snr_max = 0;
  uint64_t key = 0, id0 = 0;
  while (file >> name >> fwhm >> spread >> multiplicative >> additive >> snr_min >> snr_max >> key >> id0) {
    ASSERT_EQ(channel.configure({kPixels}, {{"resolution_delta_ln_lambda", fwhm},
                                            {"resolution_relative_spread", spread},
                                            {"offset_multiplicative_sigma", multiplicative},
                                            {"offset_additive_sigma", additive},
                                            {"snr_min", snr_min},
                                            {"snr_max", snr_max}}),
              UNCHANNEL_OK)
        << channel.error;
    const auto latents = channel.draw(unchannel_derive(key, 1), 3, id0);
    const auto y = channel.simulate(unchannel_derive(key, 2), spectra(3), latents, id0);
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t d = 0; d < kPixels; d += 31) {
        double expected = 0;
        ASSERT_TRUE(file >> expected);
        // float32 arithmetic on values up to 3 plus noise up to 30: a few units in the last place of the largest term
        ASSERT_NEAR(y.row(i)[d], expected, 2e-6 * (10 + std::abs(expected))) << name << " spectrum " << i << " pixel " << d;
        ++rows;
      }
    }
  }
  EXPECT_GE(rows, 400);
}

TEST(Spectrograph, GivesTheSameBitsForAnySplitOrderAndThreadCount) {
  for (const std::string noise : {"snr", "ivar"}) {
    Channel channel(kLibrary);
    ASSERT_EQ(
        channel.configure({kPixels}, {{"noise", noise}, {"resolution_delta_ln_lambda", 0.004}, {"offset_multiplicative_sigma", 0.05}}),
        UNCHANNEL_OK);
    const auto x = spectra(50);
    auto latents = channel.draw(5, 50, 1000);
    if (noise == "ivar") {
      latents.merge(survey_latents(survey(50)));
    }
    const auto whole = channel.simulate(6, x, latents, 1000);
    channel.services[UNCHANNEL_SERVICE_THREAD_POOL_1] = &ReversePool::kTable;
    EXPECT_EQ(channel.simulate(6, x, latents, 1000).values, whole.values);
    channel.services.clear();
    for (int64_t i = 0; i < 50; ++i) {
      Array<float> one({1, kPixels});
      std::copy_n(x.row(i), kPixels, one.row(0));
      auto its = channel.draw(5, 1, 1000 + static_cast<uint64_t>(i));
      if (noise == "ivar") {
        its.merge(survey_latents(survey(1)));
      }
      const auto y = channel.simulate(6, one, its, 1000 + static_cast<uint64_t>(i));
      ASSERT_EQ(std::memcmp(y.row(0), whole.row(i), kPixels * sizeof(float)), 0) << noise << " " << i;
    }
  }
}

/// sup |empirical - cdf|; under the null sqrt(n) times it is above 1.95 with probability 0.1 % (Kolmogorov).
template <class Cdf>
double kolmogorov(std::vector<float> sample, Cdf cdf) {
  std::ranges::sort(sample);
  double worst = 0;
  const auto n = static_cast<double>(sample.size());
  for (size_t i = 0; i < sample.size(); ++i) {
    const double p = cdf(static_cast<double>(sample[i]));
    worst = std::max({worst, p - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - p});
  }
  return worst * std::sqrt(n);
}

TEST(Spectrograph, DrawsLatentsFromTheDeclaredPriors) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({8}, {{"resolution_delta_ln_lambda", 0.02},
                                    {"resolution_relative_spread", 0.05},
                                    {"offset_multiplicative_sigma", 0.1},
                                    {"offset_additive_sigma", 0.3}}),
            UNCHANNEL_OK);
  const auto latents = channel.draw(77, 20000);
  const auto values = [&](const char* id) { return std::get<Array<float>>(latents.at(id)).values; };
  const auto normal_cdf = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  EXPECT_LT(kolmogorov(values("resolution"), [](double v) { return (v - 0.019) / 0.002; }), 1.95);
  EXPECT_LT(kolmogorov(values("snr"), [](double v) { return (v - 0.5) / 1.5; }), 1.95);
  EXPECT_LT(kolmogorov(values("offset_multiplicative"), [&](double v) { return normal_cdf(std::log(v) / 0.1); }), 1.95);
  EXPECT_LT(kolmogorov(values("offset_additive"), [&](double v) { return normal_cdf(v / 0.3); }), 1.95);
}

TEST(Spectrograph, NoiseIsWhiteStandardNormalAndScalesWithTheDrawnSnr) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({kPixels}, {{"resolution_delta_ln_lambda", 0.001}}), UNCHANNEL_OK);
  const int64_t count = 200;
  const auto x = spectra(count);
  const auto latents = constant_latents(channel, count, 0.001, 1.5);
  const auto y = channel.simulate(9, x, latents);
  const auto mean = channel.mean(x, latents);
  std::vector<float> residuals;
  double lag = 0;
  for (int64_t i = 0; i < count; ++i) {
    double size = 0;
    for (int64_t d = 0; d < kPixels; ++d) {
      size += std::abs(static_cast<double>(mean.row(i)[d])) / kPixels;
    }
    for (int64_t d = 0; d < kPixels; ++d) {
      residuals.push_back((y.row(i)[d] - mean.row(i)[d]) * static_cast<float>(1.5 / size));
    }
  }
  for (size_t i = 1; i < residuals.size(); ++i) {
    lag += static_cast<double>(residuals[i] * residuals[i - 1]);
  }
  EXPECT_LT(std::abs(lag) / std::sqrt(static_cast<double>(residuals.size())), 4.0);  // standard normal under independence
  EXPECT_LT(kolmogorov(residuals, [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }), 1.95);
}

TEST(Spectrograph, SurveyNoiseHasTheSurveysVarianceWherePixelsAreObserved) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({kPixels}, {{"noise", "ivar"}}), UNCHANNEL_OK);
  EXPECT_TRUE(channel.active("ivar") && channel.active("mask") && !channel.active("snr") && !channel.active("resolution"));
  const int64_t count = 100;
  const auto s = survey(count);
  const auto x = spectra(count);
  const auto y = channel.simulate(4, x, survey_latents(s));
  std::vector<float> observed, unobserved;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t d = 0; d < kPixels; ++d) {
      const bool good = s.mask.row(i)[d] == 0 && s.ivar.row(i)[d] > 0;
      good ? observed.push_back((y.row(i)[d] - x.row(i)[d]) * std::sqrt(s.ivar.row(i)[d])) : unobserved.push_back(y.row(i)[d]);
    }
  }
  const auto normal_cdf = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  EXPECT_EQ(unobserved.size(), 1500U);
  EXPECT_LT(kolmogorov(observed, normal_cdf), 1.95);
  EXPECT_LT(kolmogorov(unobserved, normal_cdf), 1.95);
}

TEST(Spectrograph, LiftPutsTheSameNumbersIntoUnobservedPixelsWhateverTheSurveyLeftThere) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({kPixels}, {{"noise", "ivar"}}), UNCHANNEL_OK);
  const auto latents = survey_latents(survey(3));
  const auto y = channel.simulate(4, spectra(3), latents);
  EXPECT_EQ(channel.lift(y, latents).values, y.values);
  auto spoilt = y;
  for (int64_t d = 10; d < 25; ++d) {
    spoilt.row(1)[d] = d % 2 != 0 ? std::nanf("") : 1e30F;
  }
  EXPECT_EQ(channel.lift(spoilt, latents).values, y.values);
  Channel::Latents none;  // both hidden: nothing is known, nothing is changed
  EXPECT_EQ(channel.lift(y, none).values, y.values);
}

TEST(Spectrograph, SaysWhereSurveyLatentsMustComeFrom) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({8}, {{"noise", "ivar"}}), UNCHANNEL_OK);
  auto latents = survey_latents(survey(2, 8));
  Channel::Call call(channel, 1, 2, 0, latents);
  unchannel_draw_latents_args args{sizeof args, nullptr, nullptr, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0};
  EXPECT_EQ(channel.core->draw_latents(channel.instance, &call.batch, &args), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("source = \"data\""), std::string::npos) << channel.error;
}

TEST(Spectrograph, BadSamplesCostOnlyThemselves) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({64}, {{"resolution_delta_ln_lambda", 0.01}}), UNCHANNEL_OK);
  auto x = spectra(4, 64);
  const auto good = channel.simulate(1, x, constant_latents(channel, 4, 0.01, 1));
  x.row(1)[5] = std::nanf("");
  auto latents = constant_latents(channel, 4, 0.01, 1);
  std::get<Array<float>>(latents.at("resolution")).values[2] = -1;
  const auto y = channel.simulate(1, x, latents);
  EXPECT_EQ(channel.status, UNCHANNEL_OK);
  EXPECT_EQ(channel.sample_status,
            (std::vector<int32_t>{UNCHANNEL_SAMPLE_OK, UNCHANNEL_SAMPLE_NOT_FINITE, UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, UNCHANNEL_SAMPLE_OK}));
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t d = 0; d < 64; ++d) {
      ASSERT_EQ(y.row(i)[d], i % 3 == 0 ? good.row(i)[d] : 0.0F);
    }
  }
}

TEST(Spectrograph, CanonicalConfigurationNamesEveryParameter) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({64}, {{"resolution_delta_ln_lambda", 1.0 / 50}}), UNCHANNEL_OK);
  EXPECT_NE(channel.canonical.find("resolution_delta_ln_lambda = 0.02\n"), std::string::npos) << channel.canonical;
  EXPECT_NE(channel.canonical.find("noise = \"snr\"\n"), std::string::npos);
  EXPECT_NE(channel.canonical.find("wavelength_min_angstrom = 4000.0\n"), std::string::npos);
  EXPECT_EQ(static_cast<uint32_t>(std::ranges::count(channel.canonical, '\n')), channel.core->parameter_count(channel.instance));
}

TEST(Spectrograph, DocumentedDefaultsAreThePluginsOwn) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({64}), UNCHANNEL_OK);
  EXPECT_EQ(documented_parameters(UNCHANNEL_SOURCE_DIR "/plugins/spectrograph/spectrograph.toml"), channel.canonical);
}

}  // namespace
