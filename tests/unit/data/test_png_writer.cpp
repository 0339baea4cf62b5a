#include <gtest/gtest.h>

#include <fstream>
#include <unchannel/base/error.hpp>
#include <unchannel/data/images/image.hpp>

#include "python_oracle.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;

/// Levels that visit 0 … 255 and differ between planes and neighbours.
Image pattern(std::uint32_t height, std::uint32_t width, std::uint32_t planes) {
  Image image{height, width, planes, 255, {}};
  for (std::uint32_t i = 0; i < height * width * planes; ++i) image.levels.push_back(static_cast<std::uint16_t>(i * 37 % 256));
  return image;
}

TEST(EncodePng, TheDecoderGivesTheLevelsBack) {
  for (const std::uint32_t planes : {1U, 3U}) {
    const Image image = pattern(13, 21, planes), back = decode_png(encode_png(image));
    EXPECT_EQ(back.height, 13U);
    EXPECT_EQ(back.width, 21U);
    EXPECT_EQ(back.planes, planes);
    EXPECT_EQ(back.levels, image.levels);
  }
}

TEST(EncodePng, PillowReadsTheSameLevels) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  const Image image = pattern(5, 7, 3);
  std::ofstream(folder / "written.png", std::ios::binary) << encode_png(image);
  PythonOracle::run(R"(
import sys, numpy as np
from PIL import Image
image = Image.open(sys.argv[1])
assert (image.mode, image.size) == ('RGB', (7, 5)), (image.mode, image.size)
assert np.array_equal(np.asarray(image).ravel(), np.arange(5 * 7 * 3) * 37 % 256)
)",
                    (folder / "written.png").string());
}

TEST(EncodePng, PicturesThatDoNotFitAreRefused) {
  Image image = pattern(4, 4, 1);
  image.levels.pop_back();
  EXPECT_THROW(encode_png(image), DataError);
  image = pattern(4, 4, 2);
  EXPECT_THROW(encode_png(image), DataError);
  image = pattern(4, 4, 1);
  image.levels[3] = 256;
  EXPECT_THROW(encode_png(image), DataError);
  EXPECT_THROW(encode_png({0, 4, 1, 255, {}}), DataError);
  EXPECT_THROW(encode_png({1U << 20, 1U << 20, 1, 255, {}}), DataError);
}

}  // namespace
}  // namespace unchannel
