#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include <unchannel/metrics/whitened_coordinates.hpp>

// Shape legend: N, M rows · D observation dimensions · Q coordinates · J shapes (place, width, skewness, weight of the tails)
namespace unchannel::diagnostics {

constexpr std::int64_t kShapes = 4;

/// ∫ (F⁻¹(u) − G⁻¹(u)) √(2j+1) P_j(2u − 1) du of every coordinate, j = 0 … 3, P_j the Legendre polynomials: the two samples' L-moments
/// (Hosking 1990) subtracted, in the unit of the coordinate. Squares add up to at most W2². Linear in the ordered values, so that few heavy
/// tails do not spoil it. a_NQ [N, Q], b_MQ [M, Q] → [Q, J] float64.
at::Tensor quantile_contrast(const at::Tensor& a_NQ, const at::Tensor& b_MQ);

/// A direction in the space of contrasts, chosen on one pair of samples to be tried on others.
struct ContrastFilter {
  at::Tensor weight_QJ;    ///< unit length
  double coordinates = 1;  ///< how many coordinates it uses: (Σ e²)²/Σ e⁴ of their weights e

  /// What of `contrast_QJ` lies along the filter, in the coordinates' unit: signed, averages to 0 for equal laws.
  double along(const at::Tensor& contrast_QJ) const;
};

/// The contrast that was found, every entry reduced by 2.5 standard errors √(1/N + 1/M) (James and Stein's way: c (1 − (2.5 s/c)²), 0 when
/// smaller), so that what is likely noise does not enter. Where nothing stands out, the contrast as it is.
ContrastFilter choose_filter(const at::Tensor& contrast_QJ, double standard_error);

/// Coordinates in which simulated and observed rows of one sample differ most: those of WhitenedCoordinates, turned to the principal
/// directions of the simulated rows, so that a wrong variance is gathered in few of them.
class ContrastCoordinates {
 public:
  /// At most 64. observed_ND, simulated_MD: finite, N ≥ 8. Throws ShapeError, DataError.
  ContrastCoordinates(const at::Tensor& observed_ND, const at::Tensor& simulated_MD);

  std::int64_t count() const { return turn_QQ_.size(1); }
  /// [N, D] → [N, Q] float64.
  at::Tensor operator()(const at::Tensor& rows_ND) const;

 private:
  metrics::WhitenedCoordinates whitened_;
  at::Tensor turn_QQ_;
};

}  // namespace unchannel::diagnostics
