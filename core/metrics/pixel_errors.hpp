#pragma once

#include <ATen/core/Tensor.h>

// Shape legend: N objects · D pixels
namespace unchannel::metrics {

/// Throws ShapeError unless both are [N, D] of one shape with N, D ≥ 1, DataError when one holds NaN or infinity.
/// `first` and `second` name the arguments in the message.
void check_pair(const at::Tensor& a_ND, const at::Tensor& b_ND, const char* first, const char* second);

/// Mean over pixels of (restored − truth)², per object [N] float64. Where `valid_ND` (bool, or uint8 with 1 = use) is given,
/// other pixels are left out and an object without any gives NaN. Inputs [N, D] floating, sums in float64.
at::Tensor squared_error_per_object(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& valid_ND = {});

/// Root mean square difference over all pixels and objects, in data units.
double rmse(const at::Tensor& restored_ND, const at::Tensor& truth_ND);

/// Mean absolute difference over all pixels and objects, in data units.
double mae(const at::Tensor& restored_ND, const at::Tensor& truth_ND);

/// 20 log10(data_range / RMSE) in dB; infinite for equal inputs. Throws ConfigError unless data_range > 0.
double psnr_db(const at::Tensor& restored_ND, const at::Tensor& truth_ND, double data_range);

/// Largest minus smallest value, in data units: the data range of `psnr_db` where no other is agreed.
double value_range(const at::Tensor& x_ND);

/// Standard deviation over objects (divisor N) of every pixel, [D] float64.
at::Tensor pixel_spread(const at::Tensor& x_ND);

/// Root mean square over pixels of (std restored / std truth − 1), a fraction. The two samples may differ in size.
/// Throws NumericalError when a pixel of the truth does not vary.
double spread_error(const at::Tensor& restored_ND, const at::Tensor& truth_MD);

/// Mean over pixels of (std restored / std truth − 1), a fraction: negative when the restoration shrinks.
double spread_bias(const at::Tensor& restored_ND, const at::Tensor& truth_MD);

}  // namespace unchannel::metrics
