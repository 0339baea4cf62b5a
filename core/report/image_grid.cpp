#include "image_grid.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unchannel/base/error.hpp>

#include "html.hpp"
#include "tensor_ops.hpp"

namespace unchannel::report {
namespace {

constexpr double kImageSide = 104;  // pixels, about: eight images and their labels fill the page
constexpr std::uint16_t kWhite = 255, kMiddleGrey = 128;
constexpr double kLetterWidth = 9, kFontSize = 14, kLabelGap = 10;  // pixels; a wide font has letters of 9 on average

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return k < bytes.size() ? static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[k])) : 0U;
    };
    const std::uint32_t bits = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    for (std::size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : kDigits[bits >> (18U - 6U * static_cast<unsigned>(k)) & 63U];
  }
  return text;
}

std::uint16_t level_of(double value, const ImageGrid& grid) {
  if (std::isnan(value)) return kMiddleGrey;
  return static_cast<std::uint16_t>(std::lround(255 * std::clamp((value - grid.low) / (grid.high - grid.low), 0.0, 1.0)));
}

/// Puts one enlarged image with its upper left corner at (top, left).
void paint(Image& picture, const ImageGrid& grid, const at::Tensor& image_PHW, std::int64_t top, std::int64_t left) {
  const std::int64_t height = image_PHW.size(1), width = image_PHW.size(2), factor = enlargement(height, width);
  const at::Tensor values = image_PHW.to(at::kDouble).contiguous();
  const double* value = values.const_data_ptr<double>();
  std::uint16_t* level = picture.levels.data();
  for (std::int64_t plane = 0; plane < picture.planes; ++plane) {
    for (std::int64_t y = 0; y < factor * height; ++y) {
      for (std::int64_t x = 0; x < factor * width; ++x) {
        level[((top + y) * picture.width + left + x) * picture.planes + plane] =
            level_of(value[(plane * height + y / factor) * width + x / factor], grid);
      }
    }
  }
}

void check_grid(const ImageGrid& grid) {
  check<ShapeError>(!grid.rows.empty(), "report: a grid of images needs at least one row.");
  const auto shape = grid.rows.front().images_CPHW.sizes();
  for (const ImageRow& row : grid.rows) {
    check<ShapeError>(
        row.images_CPHW.dim() == 4 && row.images_CPHW.numel() > 0 && row.images_CPHW.sizes() == shape,
        "report: the images of row '{}' have another shape than those of row '{}'; a grid needs [columns, planes, height, width].",
        row.label, grid.rows.front().label);
  }
  check<ShapeError>(std::max(shape[2], shape[3]) <= kLargestGridImage,
                    "report: images of {} x {} pixels are not drawn, at most {} on a side are.", shape[2], shape[3], kLargestGridImage);
  check<ConfigError>(grid.low < grid.high, "report: the drawn range must rise, not {} … {}.", grid.low, grid.high);
}

}  // namespace

std::int64_t enlargement(std::int64_t height, std::int64_t width) {
  return std::max<std::int64_t>(1, std::llround(kImageSide / static_cast<double>(std::max(height, width))));
}

Image grid_picture(const ImageGrid& grid) {
  check_grid(grid);
  const at::Tensor& first = grid.rows.front().images_CPHW;
  const std::int64_t columns = first.size(0), height = first.size(2), width = first.size(3);
  const std::int64_t planes = first.size(1) == 3 ? 3 : 1, factor = enlargement(height, width);
  const std::int64_t cell_height = factor * height + kGridGap, cell_width = factor * width + kGridGap;
  Image picture;
  picture.planes = static_cast<std::uint32_t>(planes);
  picture.height = static_cast<std::uint32_t>(static_cast<std::int64_t>(grid.rows.size()) * cell_height + kGridGap);
  picture.width = static_cast<std::uint32_t>(columns * cell_width + kGridGap);
  check<ShapeError>(std::uint64_t{picture.height} * picture.width <= kMaxImagePixels,
                    "report: a grid of {} x {} pixels is too large to be drawn.", picture.width, picture.height);
  picture.levels.assign(std::size_t{picture.height} * picture.width * picture.planes, kWhite);
  for (std::size_t row = 0; row < grid.rows.size(); ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      paint(picture, grid, grid.rows[row].images_CPHW[column], static_cast<std::int64_t>(row) * cell_height + kGridGap,
            column * cell_width + kGridGap);
    }
  }
  return picture;
}

std::string render_image_grid(const ImageGrid& grid) {
  const Image picture = grid_picture(grid);
  std::size_t longest = 0;
  for (const ImageRow& row : grid.rows) longest = std::max(longest, row.label.size());
  const double left = std::ceil(kLetterWidth * static_cast<double>(longest)) + kLabelGap, width = left + picture.width;
  const double row_height = static_cast<double>(picture.height - kGridGap) / static_cast<double>(grid.rows.size());
  std::string labels;
  for (std::size_t row = 0; row < grid.rows.size(); ++row) {
    labels += fmt::format("<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"end\" font-size=\"{:g}\" fill=\"currentColor\">{}</text>\n",
                          left - kLabelGap, (static_cast<double>(row) + 0.5) * row_height + 0.5 * kGridGap + 0.35 * kFontSize, kFontSize,
                          escape(grid.rows[row].label));
  }
  const std::string description = escape(grid.description);
  return fmt::format(
      "<svg viewBox=\"0 0 {0:g} {1}\" style=\"max-width:{0:g}px\" role=\"img\" aria-label=\"{2}\">\n<title>{2}</title>\n"
      "<image x=\"{3:g}\" y=\"0\" width=\"{4}\" height=\"{1}\" href=\"data:image/png;base64,{5}\"/>\n{6}</svg>",
      width, picture.height, description, left, picture.width, base64(encode_png(picture)), labels);
}

ValueRange drawn_range(const at::Tensor& signals) {
  const double low = signals.min().item<double>(), high = signals.max().item<double>();
  if (low >= -1 && low < 0 && high <= 1) return {};
  return low < high ? ValueRange{low, high} : ValueRange{low - 1, low + 1};
}

}  // namespace unchannel::report
