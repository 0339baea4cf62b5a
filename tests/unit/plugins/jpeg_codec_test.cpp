// What a channel's caller cannot provoke: errors inside libjpeg. No leak is the address sanitizer's to say (preset asan).
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unchannel/random.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

#include "codec.hpp"

namespace {

using jpeg::Codec;
using jpeg::ImageFormat;
using jpeg::Outcome;
using jpeg::Route;
using jpeg::Scaling;

std::vector<float> noise(const ImageFormat& format) {
  std::vector<float> x(static_cast<size_t>(format.width) * static_cast<size_t>(format.height) * (format.colour ? 3 : 1));
  unchannel_uniform_fill(1, 0, 0, x.size(), x.data());
  return x;
}

std::vector<float> round_trip(Codec& codec, const std::vector<float>& x, int quality) {
  std::vector<float> y(x.size(), -1);
  EXPECT_EQ(codec.compress(x.data(), quality), Outcome::kOk);
  EXPECT_EQ(codec.decompress(y.data()), Outcome::kOk);
  return y;
}

/// Huffman coding is lossless: leaving it out must not change a bit. The stream route is libjpeg's own, so it is the reference.
TEST(JpegCodec, CoefficientsHandedOverGiveTheBitsOfTheStream) {
  for (const int step : {0, 1, 2, 3}) {
    for (const auto& [width, height] : {std::pair{1, 1}, {8, 8}, {17, 9}, {16, 33}, {100, 75}}) {
      ImageFormat format{.width = width, .height = height, .colour = step > 0, .chroma_step_x = step > 1 ? 2 : 1};
      format.chroma_step_y = step > 2 ? 2 : 1;
      for (const J_DCT_METHOD dct : {JDCT_ISLOW, JDCT_IFAST, JDCT_FLOAT}) {
        format.dct = dct;
        Codec direct(format, Scaling(0, 1)), through(format, Scaling(0, 1), Route::kStream);
        const auto x = noise(format);
        for (const int quality : {1, 30, 30, 75, 100}) {
          ASSERT_EQ(round_trip(direct, x, quality), round_trip(through, x, quality)) << width << "x" << height << " quality " << quality;
        }
        EXPECT_LT(direct.stream_bytes(), size_t{700}) << "headers alone";
      }
    }
  }
}

TEST(JpegCodec, AnErrorOfTheCompressorIsAnOutcomeAsOftenAsItHappens) {
  const ImageFormat too_wide{.width = JPEG_MAX_DIMENSION + 1, .height = 1};
  Codec codec(too_wide, Scaling(0, 1));
  const auto x = noise(too_wide);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(codec.compress(x.data(), 75), Outcome::kFailed);
    std::vector<float> y(x.size());
    ASSERT_EQ(codec.decompress(y.data()), Outcome::kFailed);
  }
}

TEST(JpegCodec, AfterAnyFailureTheNextImageIsRight) {
  const ImageFormat format{.width = 37, .height = 21, .colour = true, .chroma_step_x = 2, .chroma_step_y = 2};
  for (const Route route : {Route::kStream, Route::kCoefficients}) {
    Codec codec(format, Scaling(0, 1), route);
    auto x = noise(format);
    const auto expected = round_trip(codec, x, 40);
    std::vector<float> y(x.size());

    ASSERT_EQ(codec.compress(x.data(), 40), Outcome::kOk);
    std::fill_n(codec.stream(), codec.stream_bytes(), uint8_t{0});
    EXPECT_EQ(codec.decompress(y.data()), Outcome::kFailed);
    EXPECT_EQ(codec.decompress(y.data()), Outcome::kFailed);  // nothing to decompress
    EXPECT_EQ(round_trip(codec, x, 40), expected);

    const float kept = std::exchange(x.back(), std::nanf(""));
    EXPECT_EQ(codec.compress(x.data(), 90), Outcome::kNotFinite);
    EXPECT_EQ(codec.decompress(y.data()), Outcome::kFailed);
    x.back() = kept;
    EXPECT_EQ(round_trip(codec, x, 40), expected);
  }
}

/// A changed byte may give another picture (kOk) or an error (kFailed); it must never do more.
TEST(JpegCodec, SurvivesChangedBytesInTheStream) {
  const ImageFormat format{.width = 24, .height = 19, .colour = true};
  Codec codec(format, Scaling(0, 1), Route::kStream);
  const auto x = noise(format);
  const auto expected = round_trip(codec, x, 60);
  std::vector<float> y(x.size());
  int failed = 0;
  for (uint32_t trial = 0; trial < 3000; ++trial) {
    uint32_t words[4];
    unchannel_words4(5, trial, 0, 0, words);
    ASSERT_EQ(codec.compress(x.data(), 60), Outcome::kOk);
    const auto bytes = static_cast<uint32_t>(codec.stream_bytes());
    const uint32_t place = unchannel_below(words[0], trial % 2 == 0 ? std::min(bytes, 700U) : bytes);  // headers every other time
    codec.stream()[place] = static_cast<uint8_t>(words[1]);
    failed += codec.decompress(y.data()) == Outcome::kFailed ? 1 : 0;
    if (trial % 100 == 0) {
      Codec fresh(format, Scaling(0, 1), Route::kStream);  // tables that a changed stream has left in the decompressor stay with that codec
      ASSERT_EQ(round_trip(fresh, x, 60), expected);
    }
  }
  EXPECT_GT(failed, 300);
}

TEST(JpegCodec, TheStreamGrowsBeyondItsFirstBuffer) {
  const ImageFormat format{.width = 256, .height = 256, .colour = true};
  Codec codec(format, Scaling(0, 1), Route::kStream);
  const auto x = noise(format);
  const auto y = round_trip(codec, x, 100);
  EXPECT_GT(codec.stream_bytes(), size_t{3 * (4096 + 256 * 256 / 2)});
  double squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    squares += static_cast<double>((y[i] - x[i]) * (y[i] - x[i]));
  }
  // Rounding to levels, coefficients (steps of 1), and two colour conversions, each about 1/sqrt(12) levels, leave less than 2 levels.
  EXPECT_LT(std::sqrt(squares / static_cast<double>(x.size())), 2.0 / 255);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
int compress_with_little_memory() {
  const ImageFormat format{.width = 4096, .height = 4096, .colour = false};
  Codec codec(format, Scaling(0, 1));
  const auto x = noise(format);
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  const rlimit little{pages * 4096 + (size_t{4} << 20), limit.rlim_max};
  setrlimit(RLIMIT_AS, &little);
  const Outcome starved = codec.compress(x.data(), 100);  // needs about 18 MB, has 8
  setrlimit(RLIMIT_AS, &limit);
  std::vector<float> y(x.size());
  const bool recovered = codec.compress(x.data(), 1) == Outcome::kOk && codec.decompress(y.data()) == Outcome::kOk;
  return starved == Outcome::kOutOfMemory && recovered ? 0 : 1;
}

TEST(JpegCodec, LackOfMemoryIsToldFromOtherErrors) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::exit(compress_with_little_memory()), testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
