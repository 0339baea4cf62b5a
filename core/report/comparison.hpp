#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include <unchannel/metrics/bootstrap.hpp>
#include <unchannel/metrics/line_peaks.hpp>

#include "html.hpp"

// Shape legend: N objects · D pixels · M objects of the reference · P directions
namespace unchannel::report {

/// What one method made of the observations, or why it could not.
struct MethodResult {
  std::string name;
  std::string meaning;        ///< one sentence for the table's note
  at::Tensor restored_ND;     ///< undefined: not available, `reason` says why
  std::string reason;
  bool strong = false;        ///< the method this project is about
};

/// A large independent sample of the law of clean signals: draw(first, count) gives its rows [count, D]. Rows [0, reference_rows) are the
/// reference; `clean_rows` after them, whole sets of N, give the floor of the sliced distance.
struct ReferenceSample {
  using Draw = std::function<at::Tensor(std::int64_t first, std::int64_t count)>;
  Draw draw;
  std::int64_t reference_rows = 0, clean_rows = 0;
  bool gives_spread = false;  ///< the spread is compared with the reference's, instead of with that of the objects' own truth
};

/// The law of clean signals to which restorations are compared: an independent sample, or the truth of the objects themselves, split in
/// halves.
class SignalLaw {
 public:
  explicit SignalLaw(const at::Tensor& truth_ND);
  SignalLaw(const at::Tensor& truth_ND, const ReferenceSample& sample);

  /// Excess sliced W2, √(max(SW2² − floor², 0)), over 256 fixed directions, data units.
  double excess_sliced_w2(const at::Tensor& restored_ND) const;
  std::int64_t reference_rows() const { return reference_PM_.defined() ? reference_PM_.size(1) : 0; }
  /// Standard deviation of the reference by pixel, float64; undefined unless the sample gives it.
  const at::Tensor& spread_D() const { return spread_D_; }

 private:
  at::Tensor truth_ND_, directions_PD_;
  at::Tensor reference_PM_;  // sorted projections; undefined without an independent sample
  at::Tensor spread_D_;
  double floor_squared_ = 0;
};

/// What the rows are compared on.
struct ComparisonData {
  at::Tensor truth_ND;
  at::Tensor wavelength_D;   ///< Å; undefined: no line peaks
  at::Tensor redshift_N;     ///< undefined: wavelengths are in the rest frame
  at::Tensor exact_draw_ND;  ///< one exact posterior draw; undefined where none exists
  std::vector<std::int64_t> image_shape{};  ///< [planes, height, width] of signals that are images; empty: no PSNR, no structural similarity
};

/// One row. Figures that do not exist are empty; when `reason` is not empty there are none at all.
struct ComparisonRow {
  std::string name, meaning, reason;
  bool strong = false;
  std::optional<metrics::Estimate> rmse;            ///< data units
  std::optional<metrics::Estimate> rmse_over_draw;  ///< both on the same objects, resampled together
  std::optional<metrics::Estimate> psnr_db;         ///< images; data range: largest minus smallest value of the truth
  std::optional<metrics::Estimate> ssim;            ///< images of at least 11 x 11 pixels, same range
  std::optional<metrics::Estimate> spread_error;    ///< fraction, see kLeastSpreadShare
  std::optional<double> spread_bias;                ///< fraction, signed
  std::optional<double> excess_sliced_w2;           ///< data units
  std::optional<double> energy_distance;            ///< data units, against the truth of other objects of the same set
  std::optional<metrics::Estimate> lyman_alpha_within_500_km_s;  ///< share of the objects with Ly α in coverage
  std::optional<double> lyman_alpha_median_velocity_km_s;        ///< median |velocity error| of the peak
  std::optional<double> lyman_alpha_median_height_error;         ///< median relative height error of the peak, signed
  std::int64_t lyman_alpha_objects = 0;
  std::vector<metrics::PeakComparison> lines;  ///< all lines with at least one object in coverage, Ly α among them
  std::int64_t objects = 0;
};

/// The spread of images is compared in pixels whose true standard deviation is at least this share of the largest: ratios in corners that are
/// black in nearly all pictures would drown the others. That of other signals in all pixels, and not at all where one never varies.
inline constexpr double kLeastSpreadShare = 0.1;

/// Throws ShapeError when the restorations are not those of the truth's objects.
ComparisonRow compare(const MethodResult& method, const ComparisonData& data, const SignalLaw& law);

/// The comparison as a table, without the figures that no row has, and the same for machines (units in the keys).
Table comparison_table(const std::vector<ComparisonRow>& rows);
/// Place and height of the peaks of every line in coverage, one row a line and method; without rows where no line is in coverage.
Table line_table(const std::vector<ComparisonRow>& rows);
nlohmann::json comparison_json(const std::vector<ComparisonRow>& rows);

}  // namespace unchannel::report
