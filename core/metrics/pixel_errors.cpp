#include "pixel_errors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>

#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

// Rows converted to float64 at a time: bounds the memory of a sum over a large file.
constexpr std::int64_t kRowBlock = 4096;

void check_matrix(const at::Tensor& x, const char* name) {
  check<ShapeError>(x.defined() && x.dim() == 2 && x.size(0) > 0 && x.size(1) > 0,
                    "metrics: {} must be a non-empty [N, D] matrix; flatten images to one row an object.", name);
  check<ShapeError>(x.is_floating_point(), "metrics: {} must hold floating-point numbers.", name);
  check<DataError>(x.isfinite().all().item<bool>(), "metrics: {} holds NaN or infinity; mask or remove those objects first.", name);
}

at::Tensor ratio_minus_one(const at::Tensor& restored_ND, const at::Tensor& truth_MD) {
  check_matrix(restored_ND, "restored");
  check_matrix(truth_MD, "truth");
  check<ShapeError>(restored_ND.size(1) == truth_MD.size(1), "metrics: restored has {} pixels and truth {}; they must agree.",
                    restored_ND.size(1), truth_MD.size(1));
  const at::Tensor truth_D = pixel_spread(truth_MD);
  check<NumericalError>(truth_D.min().item<double>() > 0, "metrics: a pixel of the truth has no spread, so a ratio of spreads is undefined; "
                        "leave out constant pixels or give at least two different objects.");
  return pixel_spread(restored_ND) / truth_D - 1;
}

}  // namespace

void check_pair(const at::Tensor& a_ND, const at::Tensor& b_ND, const char* first, const char* second) {
  check_matrix(a_ND, first);
  check_matrix(b_ND, second);
  check<ShapeError>(a_ND.sizes() == b_ND.sizes(), "metrics: {} is [{}, {}] and {} is [{}, {}]; they must agree, row for row.", first,
                    a_ND.size(0), a_ND.size(1), second, b_ND.size(0), b_ND.size(1));
}

at::Tensor squared_error_per_object(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& valid_ND) {
  if (valid_ND.defined()) {
    check<ShapeError>(restored_ND.sizes() == truth_ND.sizes() && valid_ND.sizes() == truth_ND.sizes() && truth_ND.dim() == 2,
                      "metrics: restored, truth and the mask must have one shape [N, D].");
    const at::Tensor use = valid_ND.to(at::kBool);
    const at::Tensor squares = (restored_ND.to(at::kDouble) - truth_ND.to(at::kDouble)).square();
    return at::where(use, squares, at::zeros({}, squares.options())).sum(1) / use.sum(1).to(at::kDouble);
  }
  check_pair(restored_ND, truth_ND, "restored", "truth");
  at::Tensor result = at::empty({truth_ND.size(0)}, truth_ND.options().dtype(at::kDouble));
  for (std::int64_t row = 0; row < truth_ND.size(0); row += kRowBlock) {
    const std::int64_t end = std::min(row + kRowBlock, truth_ND.size(0));
    result.slice(0, row, end)
        .copy_((restored_ND.slice(0, row, end).to(at::kDouble) - truth_ND.slice(0, row, end).to(at::kDouble)).square().mean(1));
  }
  return result;
}

double rmse(const at::Tensor& restored_ND, const at::Tensor& truth_ND) {
  return std::sqrt(squared_error_per_object(restored_ND, truth_ND).mean().item<double>());
}

double mae(const at::Tensor& restored_ND, const at::Tensor& truth_ND) {
  check_pair(restored_ND, truth_ND, "restored", "truth");
  return (restored_ND.to(at::kDouble) - truth_ND.to(at::kDouble)).abs().mean().item<double>();
}

double psnr_db(const at::Tensor& restored_ND, const at::Tensor& truth_ND, double data_range) {
  check<ConfigError>(data_range > 0, "metrics: PSNR needs a data range above 0, not {}.", data_range);
  const double error = rmse(restored_ND, truth_ND);
  return error > 0 ? 20 * std::log10(data_range / error) : std::numeric_limits<double>::infinity();
}

double value_range(const at::Tensor& x_ND) { return x_ND.max().item<double>() - x_ND.min().item<double>(); }

at::Tensor pixel_spread(const at::Tensor& x_ND) {
  // Two passes over blocks: the one-pass formula would cancel where the mean is large against the spread.
  const at::TensorOptions options = x_ND.options().dtype(at::kDouble);
  const double count = static_cast<double>(x_ND.size(0));
  at::Tensor mean_D = at::zeros({x_ND.size(1)}, options);
  at::Tensor squares_D = at::zeros({x_ND.size(1)}, options);
  for (std::int64_t row = 0; row < x_ND.size(0); row += kRowBlock)
    mean_D += x_ND.slice(0, row, std::min(row + kRowBlock, x_ND.size(0))).to(at::kDouble).sum(0) / count;
  for (std::int64_t row = 0; row < x_ND.size(0); row += kRowBlock)
    squares_D += (x_ND.slice(0, row, std::min(row + kRowBlock, x_ND.size(0))).to(at::kDouble) - mean_D).square().sum(0) / count;
  return squares_D.sqrt();
}

double spread_error(const at::Tensor& restored_ND, const at::Tensor& truth_MD) {
  return std::sqrt(ratio_minus_one(restored_ND, truth_MD).square().mean().item<double>());
}

double spread_bias(const at::Tensor& restored_ND, const at::Tensor& truth_MD) {
  return ratio_minus_one(restored_ND, truth_MD).mean().item<double>();
}

}  // namespace unchannel::metrics
