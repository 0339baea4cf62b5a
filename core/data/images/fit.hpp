#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image.hpp"

namespace unchannel {

struct ImageSize {
  std::uint32_t height = 0, width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// How a picture of another shape comes to the wanted size.
enum class FitMode {
  crop,    ///< the largest centred part of the wanted aspect ratio
  stretch  ///< the whole picture, whatever happens to its aspect ratio
};

/// "64" (square) or "HEIGHTxWIDTH", each 1 to 65536. Throws ConfigError.
ImageSize parse_image_size(const std::string& text);

/// The picture as planes [planes, size.height, size.width], in stored levels (0 … max_level), not rounded.
///
/// Size: pixel (i, j) of the result is the mean of the picture, taken as constant within each of its pixels, over the rectangle
///   [top + i s_y, top + (i + 1) s_y] × [left + j s_x, left + (j + 1) s_x],
/// stretch: s = picture's size / wanted size, top = left = 0; crop: s_x = s_y = the smaller of the two, top and left centre it.
/// Shrinking is an area average without aliasing; enlarging repeats pixels; an equal size changes nothing.
/// Planes: 3 from 1 repeats the grey plane; 1 from 3 is luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), both before averaging.
/// Accuracy: relative 1e-6 (float result of double sums). `planes` must be 1 or 3.
std::vector<float> fit_image(const Image& image, std::uint32_t planes, ImageSize size, FitMode fit);

}  // namespace unchannel
