#include <png.h>

#include <algorithm>
#include <unchannel/base/error.hpp>

#include "image.hpp"

namespace unchannel {

std::string encode_png(const Image& image) {
  const std::uint64_t pixels = std::uint64_t{image.height} * image.width;
  check<DataError>(pixels > 0 && pixels <= kMaxImagePixels, "a picture of {} x {} pixels cannot be written as PNG; 1 to {} pixels can.",
                   image.width, image.height, kMaxImagePixels);
  check<DataError>(
      (image.planes == 1 || image.planes == 3) && image.max_level == 255 && image.levels.size() == pixels * image.planes &&
          std::ranges::all_of(image.levels, [](std::uint16_t level) { return level <= 255; }),
      "a picture to be written as PNG must have 1 or 3 planes of 8 bits and all their levels; this one has {} planes, highest level {} "
      "and {} levels.",
      image.planes, image.max_level, image.levels.size());
  std::vector<unsigned char> bytes(image.levels.begin(), image.levels.end());
  png_image settings{};
  settings.version = PNG_IMAGE_VERSION;
  settings.width = image.width;
  settings.height = image.height;
  settings.format = image.planes == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(settings);
  std::string file(size, '\0');
  const int written = png_image_write_to_memory(&settings, file.data(), &size, 0, bytes.data(), 0, nullptr);
  check<DataError>(written != 0, "a picture could not be written as PNG: {}", settings.message);
  file.resize(size);
  return file;
}

}  // namespace unchannel
