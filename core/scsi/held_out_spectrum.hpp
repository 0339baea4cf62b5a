#pragma once

#include <ATen/core/Tensor.h>

#include "moments.hpp"

// Shape legend: N rows · D data dimension · R components · K components kept
namespace unchannel {

/// Leading directions of weighted observations with their signal variances measured on rows that did not choose them: each of
/// `folds` folds measures along the directions of the others, and the means of the folds are made non-increasing. Variances in sample
/// are too large by about the noise of a leading direction; these are not. Directions whose variance stays below three times its
/// sampling error are dropped, so K ≤ `rank`. `level2_N`: white-noise variance of each row. `smoothing`: see smooth_along_diagonals.
/// Throws NumericalError when no direction is left. docs/theory/linear_start.md, step 2.
Spectrum held_out_spectrum(const at::Tensor& y_ND, const at::Tensor& weight_N, const at::Tensor& level2_N, double smoothing,
                           std::int64_t rank, std::int64_t folds = 5);

/// Removes white sampling noise from the columns of a basis: in overlapping windows along the element axis, each frequency (DCT-II)
/// keeps the share of its power that is above the column's noise. The noise is read from the upper half of the frequencies of the
/// whole column, the power averaged over neighbouring frequencies. Columns come back lengthened by what the noise had taken from the
/// variance along them, and no longer orthogonal. For signals whose elements are ordered along one axis.
at::Tensor filter_basis(const at::Tensor& basis_DR);

}  // namespace unchannel
