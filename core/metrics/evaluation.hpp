#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "bootstrap.hpp"
#include "line_peaks.hpp"
#include "sliced_distance.hpp"
#include "two_sample.hpp"

// Shape legend: N objects · D pixels
namespace unchannel::metrics {

/// Restored against true signals, row for row.
struct EvaluationInput {
  at::Tensor restored_ND{};
  at::Tensor truth_ND{};
  at::Tensor valid_ND{};          ///< 1 where the truth is known; undefined: everywhere
  at::Tensor truth_variance_ND{}; ///< variance of the truth's own noise where it is a measurement; undefined: noiseless
  at::Tensor wavelength_D{};      ///< Å, observed frame; undefined: no line peaks
  at::Tensor redshift_N{};        ///< undefined: wavelengths are in the rest frame
  at::Tensor reference_MD{};      ///< clean signals, none of them restored, for the excess distance; undefined: halves of the truth
  std::vector<std::int64_t> image_shape{};  ///< [planes, height, width] of a signal that is an image; empty: no structural similarity
  double data_range = 0;        ///< of PSNR and structural similarity; 0: largest minus smallest valid pixel of the truth
};

/// Excess sliced W2 of restored objects against other clean signals, at least 3 N of them: the last third (whole sets of N) gives the
/// floor, the rest the law. Throws ShapeError.
ExcessDistance excess_against(const at::Tensor& reference_MD, const at::Tensor& restored_ND);

/// Peaks of the strong quasar lines, those with at least one object in coverage. Arguments and errors as in compare_peaks.
std::vector<PeakComparison> lines_in_coverage(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& wavelength_D,
                                              const at::Tensor& redshift_N);
nlohmann::json to_json(const PeakComparison& line);

/// Every figure of one restoration. With missing pixels only those that are sums over pixels exist.
struct Evaluation {
  std::int64_t objects = 0, pixels = 0;
  double valid_share = 1;
  Estimate rmse;
  double mae = 0, psnr_db = 0, data_range = 0;
  std::optional<double> rmse_noise_subtracted;  ///< √(mean error² − mean truth variance); NaN when the noise exceeds the error
  std::optional<Estimate> ssim, spread_error;
  std::optional<double> spread_bias, energy_distance;
  std::optional<ExcessDistance> sliced;         ///< against the reference (excess_against), or paired halves (excess_sliced_w2_paired)
  std::optional<MmdResult> mmd;
  std::vector<PeakComparison> lines;            ///< those with at least one object in coverage
};

/// Objects without a valid pixel are left out. Throws ShapeError, DataError (not finite), NumericalError.
Evaluation evaluate(const EvaluationInput& input);

/// The same for machines: units are part of the keys, figures that do not exist are absent, numbers that are not finite null.
nlohmann::json to_json(const Evaluation& evaluation);

}  // namespace unchannel::metrics
