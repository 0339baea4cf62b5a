#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <unchannel/base/random.hpp>

// Shape legend: N objects · S draws of each · K scalar functions · D elements
namespace unchannel::metrics {

/// Number of draws below the truth, [N, K] int64 in [0, S]; ties are broken at random from `key`. Where truth and draws come from the same posterior
/// every rank is equally likely (simulation-based calibration [Talts2018]). truth_NK [N, K], draws_NSK [N, S, K]. Throws ShapeError, DataError
/// (not finite).
at::Tensor posterior_ranks(const at::Tensor& truth_NK, const at::Tensor& draws_NSK, RandomKey key);

/// Number of draws nearer to a reference point than the truth is, [N] int64 in [0, S]: uniform where the posterior is right in all directions
/// together (TARP [Lemos2023]). reference_ND must not depend on the truth of its row but through the observation. Throws like posterior_ranks.
at::Tensor tarp_ranks(const at::Tensor& truth_ND, const at::Tensor& draws_NSD, const at::Tensor& reference_ND, RandomKey key);

/// How much of each rank the central interval of probability `level` in (0, 1) holds: 1 inside, 0 outside, a share where its border cuts the rank,
/// so that the mean over uniform ranks is exactly `level`. float64, shape of `ranks`.
at::Tensor inside_central_interval(const at::Tensor& ranks, std::int64_t samples, double level);

/// Pearson's χ² test of ranks_N against equal probabilities of 0 … S, in bins of neighbouring ranks.
struct RankTest {
  std::vector<double> counts;    ///< ranks in each bin
  std::vector<double> expected;
  double chi_squared = 0;
  double p_value = 1;            ///< that a right posterior would give such ranks or worse
};
/// At most `bins` bins, fewer where that leaves fewer than 5 expected ranks in one. Throws ShapeError when there are fewer than 10 ranks.
RankTest rank_test(const at::Tensor& ranks_N, std::int64_t samples, std::int64_t bins = 20);

}  // namespace unchannel::metrics
