#include "fit.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

// Share of source pixels first, first + 1, … in one output pixel along one axis; the shares add up to 1.
struct Share {
  std::uint32_t first = 0;
  std::vector<double> weights;
};

std::vector<Share> shares(std::uint32_t source, std::uint32_t target, double begin, double step) {
  std::vector<Share> result(target);
  for (std::uint32_t i = 0; i < target; ++i) {
    const double from = std::clamp(begin + i * step, 0.0, static_cast<double>(source));
    const double to = std::clamp(begin + (i + 1.0) * step, 0.0, static_cast<double>(source));
    const auto first = std::min(static_cast<std::uint32_t>(from), source - 1);
    const auto last = std::clamp(static_cast<std::uint32_t>(std::ceil(to)), first + 1, source);
    Share& share = result[i];
    share.first = first;
    double sum = 0;
    for (std::uint32_t k = first; k < last; ++k) {
      share.weights.push_back(std::max(0.0, std::min(to, k + 1.0) - std::max(from, static_cast<double>(k))));
      sum += share.weights.back();
    }
    for (double& weight : share.weights) weight /= sum;
  }
  return result;
}

// One row of the picture as planes [planes, width].
void take_planes(const std::uint16_t* row, std::uint32_t width, std::uint32_t stored, std::uint32_t planes, std::vector<double>& out) {
  for (std::uint32_t x = 0; x < width; ++x) {
    const std::uint16_t* pixel = row + std::size_t{x} * stored;
    if (planes == stored) {
      for (std::uint32_t p = 0; p < planes; ++p) out[std::size_t{p} * width + x] = pixel[p];
    } else if (planes == 1) {
      out[x] = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    } else {
      for (std::uint32_t p = 0; p < planes; ++p) out[std::size_t{p} * width + x] = pixel[0];
    }
  }
}

}  // namespace

ImageSize parse_image_size(const std::string& text) {
  const auto number = [&](std::string_view part) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    check<ConfigError>(error == std::errc() && end == part.data() + part.size() && value >= 1 && value <= 65536,
                       "--size {}: write one number or HEIGHTxWIDTH, each 1 to 65536, e.g. --size 64x48.", text);
    return value;
  };
  const std::size_t cross = text.find('x');
  const bool square = cross == std::string::npos;
  const ImageSize size{number(std::string_view(text).substr(0, cross)), number(square ? text : std::string_view(text).substr(cross + 1))};
  check<ConfigError>(std::uint64_t{size.height} * size.width <= kMaxImagePixels, "--size {}: at most {} pixels are accepted.", text,
                     kMaxImagePixels);
  return size;
}

std::vector<float> fit_image(const Image& image, std::uint32_t planes, ImageSize size, FitMode fit) {
  double step_y = static_cast<double>(image.height) / size.height, step_x = static_cast<double>(image.width) / size.width;
  if (fit == FitMode::crop) step_x = step_y = std::min(step_x, step_y);
  const auto rows = shares(image.height, size.height, (image.height - step_y * size.height) / 2, step_y);
  const auto columns = shares(image.width, size.width, (image.width - step_x * size.width) / 2, step_x);
  std::vector<double> line(std::size_t{planes} * image.width), narrow(std::size_t{planes} * size.width), sum(narrow.size());
  std::vector<float> result(std::size_t{planes} * size.height * size.width);
  for (std::uint32_t i = 0; i < size.height; ++i) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t k = 0; k < rows[i].weights.size(); ++k) {
      const std::size_t y = rows[i].first + k;
      take_planes(image.levels.data() + y * image.width * image.planes, image.width, image.planes, planes, line);
      for (std::uint32_t p = 0; p < planes; ++p) {
        for (std::uint32_t j = 0; j < size.width; ++j) {
          const double* source = line.data() + std::size_t{p} * image.width + columns[j].first;
          double mean = 0;
          for (std::size_t m = 0; m < columns[j].weights.size(); ++m) mean += columns[j].weights[m] * source[m];
          narrow[std::size_t{p} * size.width + j] = mean;
        }
      }
      for (std::size_t m = 0; m < sum.size(); ++m) sum[m] += rows[i].weights[k] * narrow[m];
    }
    for (std::uint32_t p = 0; p < planes; ++p) {
      for (std::uint32_t j = 0; j < size.width; ++j) {
        result[(std::size_t{p} * size.height + i) * size.width + j] = static_cast<float>(sum[std::size_t{p} * size.width + j]);
      }
    }
  }
  return result;
}

}  // namespace unchannel
