#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "bootstrap.hpp"

// Shape legend: N, M objects · D pixels · P directions
namespace unchannel::metrics {

/// P unit vectors [P, D] float32, uniform on the sphere, a pure function of (key, D, row).
at::Tensor fixed_directions(std::int64_t dimension, std::int64_t count = 256, RandomKey key = default_metric_key());

/// Projections sorted along the sample: x_ND [N, D], directions_PD → [P, N] float32.
at::Tensor sorted_projections(const at::Tensor& x_ND, const at::Tensor& directions_PD);

/// Every row sorted in increasing order, float32. Throws DataError on NaN or infinity.
at::Tensor sort_rows(const at::Tensor& x_PN);

/// Squared 2-Wasserstein distance of every pair of sorted rows, [P] float64: ∫ (F⁻¹ − G⁻¹)² over the empirical quantile
/// functions, exact for unequal sizes too (both are steps; the integral is taken piece by piece).
at::Tensor wasserstein2_squared(const at::Tensor& sorted_PN, const at::Tensor& sorted_PM);

/// Energy distance 2 E|X − Y| − E|X − X′| − E|Y − Y′| of every pair of sorted rows, [P] float64, unbiased (U-statistics); rows of at
/// least 2 values. Time O(N + M) a row.
at::Tensor energy_of_sorted(const at::Tensor& sorted_PN, const at::Tensor& sorted_PM);

/// Sliced distances project on as many directions at a time as give this many float32 projections (256 MiB; a few times that is used),
/// at least one: memory does not grow with directions × objects. The blocks do not change a result.
constexpr std::int64_t kNumbersAtOnce = std::int64_t{1} << 26;

/// SW2 = √(mean over directions of W2²) between two samples, in data units. Throws ShapeError, DataError.
double sliced_w2(const at::Tensor& a_ND, const at::Tensor& b_MD, const at::Tensor& directions_PD,
                 std::int64_t numbers_at_once = kNumbersAtOnce);

/// What remains of a sliced distance when the part due to the finite sample is taken off.
struct ExcessDistance {
  double distance = 0;  ///< SW2 of the sample in question against the reference
  double floor = 0;     ///< SW2 of clean samples of the same size against the reference
  double excess = 0;    ///< √(max(distance² − floor², 0))
};

/// Excess sliced W2 of `sample` against a large reference. The floor is the mean over the sets of N rows that `clean` holds, all independent
/// of the reference. Throws ShapeError when the rows of clean are no multiple of N.
ExcessDistance excess_sliced_w2(const at::Tensor& sample_ND, const at::Tensor& reference_MD, const at::Tensor& clean_ND,
                                const at::Tensor& directions_PD, std::int64_t numbers_at_once = kNumbersAtOnce);

/// The same where only the truth of the restored objects themselves is at hand (rows paired): restored objects of one half
/// against the truth of the *other* half, floor from the truth of the same half; both ways, squares averaged. N ≥ 4.
ExcessDistance excess_sliced_w2_paired(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& directions_PD,
                                       std::int64_t numbers_at_once = kNumbersAtOnce);

}  // namespace unchannel::metrics
