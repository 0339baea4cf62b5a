#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <vector>

// Shape legend: K evaluations · Q coordinates · S figures of each (mean, spread)
namespace unchannel::diagnostics {

/// The gap that is still open in each figure of the law, simulated less observed.
struct OpenGap {
  at::Tensor gap_QS;
  double squared_noise = 0;  ///< expectation of the sum of its squares if the laws were equal: two finite samples differ
};

/// How the law of the simulated observations moves over the outer iterations. Distances are those of the coordinate that moves most, in the
/// unit of the law (shares of the observations' spread). docs/theory/verdict.md, (1) to (3).
struct Contraction {
  std::int64_t evaluations = 0;  ///< K
  double outer_begin = 0;        ///< outer iterations at the first and the last of them
  double outer_end = 0;
  bool moved = false;   ///< the movement stands out of the jitter, 99 %
  double rate = 1;      ///< ρ per outer iteration, at most 1; 1 where nothing moved
  double rate_low = 0;  ///< 95 % interval; rate_high is 1 where a steady drift explains the movement as well
  double rate_high = 1;
  double remaining = 0;  ///< distance from the last evaluation to the fitted limit, ∞ without a limit
  double ahead_low = 0;  ///< 95 % limits of the change over as many outer iterations again
  double ahead_high = std::numeric_limits<double>::infinity();
  double closing_high = std::numeric_limits<double>::infinity();  ///< upper 97.5 % limit of the share of the open gap that this would close
  double jitter = 0;                                              ///< standard deviation of a figure about the fit
  std::vector<double> outer_K, moving_K, fitted_K;                ///< the figure that moves most, and its fit

  /// Outer iterations until no more than `tolerance` remains; 0 when that is reached, ∞ when there is no rate.
  double iterations_to(double tolerance) const;
};

/// Least squares for s_k = s_∞ − a ρ^(o_k − o_1) with one ρ ≤ 1 for all figures; ρ → 1 is a steady drift. The interval of ρ is that of the
/// profile likelihood; variances are multiplied by (1 + φ)/(1 − φ), φ the lag-one correlation of the residuals, because averaged weights
/// make neighbours alike. outer_K rising, K ≥ 6 · law_KQS [K, Q, S] float64, finite. Throws ShapeError.
Contraction fit_contraction(const std::vector<double>& outer_K, const at::Tensor& law_KQS, const OpenGap& open);

}  // namespace unchannel::diagnostics
