#include <gtest/gtest.h>

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/report/html.hpp>
#include <unchannel/report/image_grid.hpp>
#include <unchannel/report/tensor_ops.hpp>

#include "well_formed.hpp"

namespace unchannel::report {
namespace {

constexpr std::int64_t kSide = 16, kFactor = 7;  // 6 and 7 times 16 are as far from 104; halves round up

std::uint16_t level(const Image& picture, std::int64_t y, std::int64_t x, std::int64_t plane = 0) {
  return picture.levels.at(static_cast<std::size_t>((y * static_cast<std::int64_t>(picture.width) + x) * picture.planes + plane));
}

/// Two rows of three images; one pixel of the last image of the second row is `value`, the rest 0.
ImageGrid grid_with(std::int64_t planes, double value) {
  const at::Tensor zeros = at::zeros({3, planes, kSide, kSide}, at::kFloat);
  at::Tensor marked = zeros.clone();
  marked.select(0, 2).select(0, planes - 1).select(0, 5).select(0, 9).fill_(value);
  return {{{"first", zeros}, {"second", marked}}, -1, 1, "two rows"};
}

TEST(ImageGrid, EveryPixelIsASquareInTheRightPlace) {
  const Image picture = grid_picture(grid_with(1, 1.0));
  ASSERT_EQ(enlargement(kSide, kSide), kFactor);
  const std::int64_t cell = kFactor * kSide + kGridGap;
  EXPECT_EQ(picture.planes, 1U);
  EXPECT_EQ(picture.height, 2 * cell + kGridGap);
  EXPECT_EQ(picture.width, 3 * cell + kGridGap);
  const std::int64_t top = cell + kGridGap + 5 * kFactor, left = 2 * cell + kGridGap + 9 * kFactor;
  for (const std::int64_t i : {std::int64_t{0}, kFactor - 1}) EXPECT_EQ(level(picture, top + i, left + i), 255);
  for (const std::int64_t i : {std::int64_t{-1}, kFactor}) EXPECT_EQ(level(picture, top + i, left), 128);
  EXPECT_EQ(level(picture, 0, 0), 255);          // a gap
  EXPECT_EQ(level(picture, cell + 1, 40), 255);  // between the rows
}

TEST(ImageGrid, ThreePlanesAreColoursAndOfTwoTheFirstIsDrawn) {
  const Image colour = grid_picture(grid_with(3, -1.0));
  const std::int64_t cell = kFactor * kSide + kGridGap, top = cell + kGridGap + 5 * kFactor, left = 2 * cell + kGridGap + 9 * kFactor;
  EXPECT_EQ(level(colour, top, left, 0), 128);
  EXPECT_EQ(level(colour, top, left, 2), 0);
  const Image grey = grid_picture(grid_with(2, -1.0));
  EXPECT_EQ(grey.planes, 1U);
  EXPECT_EQ(level(grey, top, left), 128);  // the marked plane is the second
}

TEST(ImageGrid, ValuesAreClampedAndUnobservedOnesGrey) {
  const std::int64_t cell = kFactor * kSide + kGridGap, top = cell + kGridGap + 5 * kFactor, left = 2 * cell + kGridGap + 9 * kFactor;
  EXPECT_EQ(level(grid_picture(grid_with(1, 7.0)), top, left), 255);
  EXPECT_EQ(level(grid_picture(grid_with(1, -7.0)), top, left), 0);
  ImageGrid grid = grid_with(1, NAN);
  grid.low = 0;
  EXPECT_EQ(level(grid_picture(grid), top, left), 128);
  EXPECT_EQ(level(grid_picture(grid), kGridGap, kGridGap), 0);
}

TEST(ImageGrid, SmallImagesGrowAndLargeOnesStay) {
  EXPECT_EQ(enlargement(28, 28), 4);
  EXPECT_EQ(enlargement(32, 32), 3);
  EXPECT_EQ(enlargement(64, 48), 2);
  EXPECT_EQ(enlargement(500, 20), 1);
}

TEST(ImageGrid, IsWellFormedWithAPngInsideAndEscapedLabels) {
  ImageGrid grid = grid_with(3, 0.5);
  grid.rows[0].label = "<b> & \"c\"";
  const std::string svg = render_image_grid(grid);
  EXPECT_NE(svg.find("data:image/png;base64,iVBORw0KGgo"), std::string::npos);  // the signature of PNG files
  EXPECT_NE(svg.find("&lt;b&gt; &amp; &quot;c&quot;</text>"), std::string::npos);
  HtmlPage page("t", "");
  page.figure(svg, "caption");
  EXPECT_EQ(report_test::page_problems(page.html()), std::vector<std::string>{});
}

TEST(ImageGrid, RowsOfAnotherShapeAndHugeImagesAreRefused) {
  ImageGrid grid = grid_with(1, 0);
  grid.rows[1].images_CPHW = grid.rows[1].images_CPHW.slice(0, 0, 2);
  EXPECT_THROW(grid_picture(grid), ShapeError);
  EXPECT_THROW(grid_picture({}), ShapeError);
  EXPECT_THROW(grid_picture({{{"large", at::zeros({1, 1, 8, kLargestGridImage + 1}, at::kFloat)}}, -1, 1, ""}), ShapeError);
  grid = grid_with(1, 0);
  grid.high = grid.low;
  EXPECT_THROW(grid_picture(grid), ConfigError);
}

TEST(DrawnRange, IsThatOfImportedImagesOrTheSignalsOwn) {
  const auto range_of = [](double low, double high) {
    at::Tensor values = at::full({1, 4}, low);
    values.select(1, 0).fill_(high);
    const ValueRange range = drawn_range(values);
    return std::pair(range.low, range.high);
  };
  EXPECT_EQ(range_of(-0.75, 0.5), std::pair(-1.0, 1.0));
  EXPECT_EQ(range_of(0, 1), std::pair(0.0, 1.0));
  EXPECT_EQ(range_of(-3, 0.5), std::pair(-3.0, 0.5));
  EXPECT_EQ(range_of(5, 5), std::pair(4.0, 6.0));
}

}  // namespace
}  // namespace unchannel::report
