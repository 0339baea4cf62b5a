#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// Shape legend: N, M objects · D pixels
namespace unchannel::metrics {

/// How two samples relate and how much of them is used.
struct TwoSampleOptions {
  /// Row i of both samples belongs to one object: the N pairs (i, i) are dependent and left out of the cross term.
  bool paired = false;
  /// At most so many rows of each sample, evenly spaced over it; cost grows with the square.
  std::int64_t max_rows = 2000;
};

/// Energy distance squared, 2 E|X − Y| − E|X − X′| − E|Y − Y′| with Euclidean norms over all pixels: unbiased (U-statistics), so it
/// may be slightly negative for equal laws; in data units. float64. Throws ShapeError for fewer than 2 rows or unequal D, DataError.
double energy_distance(const at::Tensor& a_ND, const at::Tensor& b_MD, const TwoSampleOptions& options = {});

struct MmdResult {
  double mmd_squared = 0;  ///< unbiased, may be slightly negative
  double mmd = 0;          ///< √max(mmd_squared, 0)
  double bandwidth = 0;    ///< h of the kernel, data units
};

/// Maximum mean discrepancy with the kernel exp(−|x − y|² / 2h²); h is the median distance between different rows of `b`
/// (the truth), so that figures of several restorations of one truth share a kernel. Throws as `energy_distance`.
MmdResult mmd(const at::Tensor& a_ND, const at::Tensor& b_MD, const TwoSampleOptions& options = {});

}  // namespace unchannel::metrics
