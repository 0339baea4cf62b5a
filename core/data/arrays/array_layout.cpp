#include "array_layout.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::uint64_t kMaxRowElements = std::uint64_t{1} << 24;  // 4096 x 4096 pixels

void check_letters(const ArrayShape& shape, const std::string& layout, const std::string& place) {
  const auto count = [&](char letter) { return std::count(layout.begin(), layout.end(), letter); };
  check<ConfigError>(layout.size() == shape.extents.size(), "{}: its array is {}, but --layout {} has {} letters; write one for each axis.",
                     place, shape_text(shape.extents), layout, layout.size());
  check<ConfigError>(layout.find_first_not_of("NCHWD") == std::string::npos && count('N') == 1 && count('C') <= 1 && count('H') <= 1 &&
                         count('W') <= 1 && count('H') == count('W') && count('C') <= count('H') && (count('D') > 0) != (count('H') > 0),
                     "{}: --layout {}: one N (rows) and either H and W, perhaps with C, or D for each other axis, e.g. NHWC, HWN, ND.", place,
                     layout);
}

}  // namespace

std::uint64_t ArrayShape::elements() const noexcept {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  if (std::find(extents.begin(), extents.end(), std::uint64_t{0}) != extents.end()) return 0;
  std::uint64_t product = 1;
  for (const std::uint64_t extent : extents) {
    if (product > kMost / extent) return kMost;
    product *= extent;
  }
  return product;
}

std::vector<std::uint64_t> RowPlan::offsets() const {
  std::vector<std::uint64_t> result{0};
  for (std::size_t axis = 0; axis < row_shape.size(); ++axis) {
    std::vector<std::uint64_t> finer;
    finer.reserve(result.size() * row_shape[axis]);
    for (const std::uint64_t offset : result) {
      for (std::uint64_t k = 0; k < row_shape[axis]; ++k) finer.push_back(offset + k * element_strides[axis]);
    }
    result = std::move(finer);
  }
  return result;
}

RowPlan plan_rows(const ArrayShape& shape, const std::string& layout, const std::string& place) {
  check_letters(shape, layout, place);
  const std::size_t rank = shape.extents.size();
  check<DataError>(shape.elements() > 0 && shape.elements() < std::numeric_limits<std::uint64_t>::max(),
                   "{}: its array {} has no elements, or more than any file holds.", place, shape_text(shape.extents));
  std::vector<std::uint64_t> strides(rank, 1);
  for (std::size_t k = 1; k < rank; ++k) {
    const std::size_t axis = shape.column_major ? k : rank - 1 - k, finer = shape.column_major ? k - 1 : rank - k;
    strides[axis] = strides[finer] * shape.extents[finer];
  }
  RowPlan plan;
  const std::size_t n = layout.find('N');
  plan.rows = shape.extents[n];
  plan.row_stride = strides[n];
  plan.row_elements = shape.elements() / plan.rows;
  plan.contiguous = n == (shape.column_major ? rank - 1 : 0);
  check<DataError>(plan.row_elements <= kMaxRowElements, "{}: a row of array {} in layout {} has {} elements; at most {} are accepted.",
                   place, shape_text(shape.extents), layout, plan.row_elements, kMaxRowElements);
  const auto take = [&](std::size_t axis) {
    plan.row_shape.push_back(shape.extents[axis]);
    plan.element_strides.push_back(strides[axis]);
  };
  if (layout.find('H') != std::string::npos) {
    if (const std::size_t c = layout.find('C'); c != std::string::npos) {
      take(c);
    } else {
      plan.row_shape.push_back(1);
      plan.element_strides.push_back(0);
    }
    take(layout.find('H'));
    take(layout.find('W'));
  } else {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (axis != n) take(axis);
    }
  }
  return plan;
}

ArrayShape reshaped(const ArrayShape& shape, const std::vector<std::uint64_t>& extents, const std::string& place) {
  const ArrayShape other{extents, shape.column_major};
  check<ConfigError>(other.elements() == shape.elements(), "{}: its array {} has {} elements and cannot become {}.", place,
                     shape_text(shape.extents), shape.elements(), shape_text(extents));
  return other;
}

std::string shape_text(const std::vector<std::uint64_t>& extents) { return fmt::format("[{}]", fmt::join(extents, ", ")); }

}  // namespace unchannel
