#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include <unchannel/data/images/image.hpp>

// Shape legend: C columns · P planes · H, W height and width of one image
namespace unchannel::report {

/// One image for each column. NaN (not observed) is drawn in middle grey.
struct ImageRow {
  std::string label;
  at::Tensor images_CPHW;
};

/// Images of one shape in rows, the same object in each column. Values low … high are drawn black to white, others clamped.
struct ImageGrid {
  std::vector<ImageRow> rows;
  double low = -1, high = 1;  ///< data units
  std::string description;    ///< for readers who cannot see it
};

/// Images larger than this on a side are not drawn: a page with them would be too large to load.
inline constexpr std::int64_t kLargestGridImage = 1024;
/// White pixels between images and around the grid.
inline constexpr std::int64_t kGridGap = 4;

/// Whole factor by which images are enlarged so that their longer side has about 104 pixels; at least 1.
std::int64_t enlargement(std::int64_t height, std::int64_t width);

/// The whole grid as one picture, every pixel of an image repeated `enlargement` times along both axes. Three planes are red, green and
/// blue; of any other number the first is drawn in grey. Throws ShapeError: no row, not [C, P, H, W], rows of different shapes, an image
/// above kLargestGridImage; ConfigError: low ≥ high.
Image grid_picture(const ImageGrid& grid);

/// The picture as a PNG inside of SVG, its rows labelled, to be placed in an HtmlPage.
std::string render_image_grid(const ImageGrid& grid);

/// The range to draw: −1 … 1 where `signals` lie in it and are not all positive, else from their smallest to their largest value.
struct ValueRange {
  double low = -1, high = 1;
};
ValueRange drawn_range(const at::Tensor& signals);

}  // namespace unchannel::report
