#pragma once

#include <string>
#include <vector>

#include "scheme.hpp"

namespace unchannel::verification {

/// An iterate that the engine learnt, averaged over repeats, beside the one of the theory. Errors are entries of the mean's difference and of
/// the covariance's, both whitened by the theory's covariance: 0.01 is one per cent of the spread, or of the variance.
struct MeasuredIterate {
  theory::Gaussian law;           ///< mean over the repeats
  double w2 = 0.0;                ///< W2 to the signal, data units
  double mean_error = 0.0;        ///< largest entry
  double covariance_error = 0.0;  ///< largest entry
  double mean_scatter = 0.0;      ///< standard error of an entry, from the repeats
  double covariance_scatter = 0.0;
  double mean_tolerance = 0.0;    ///< what mean_error may be
  double covariance_tolerance = 0.0;
  double w2_error = 0.0;          ///< what w2 may be wrong by, data units
};

/// One scheme's iterates 0, 1, …, as the theory has them and as the engine learnt them.
struct SchemeResult {
  Scheme scheme;
  std::vector<theory::Iterate> predicted;
  std::vector<MeasuredIterate> measured;
  std::int64_t usable = 0;  ///< last iterate whose distance from the signal is at least three times what it may be wrong by
};

/// `repeats_RK[r][k]`: iterate k of repeat r, at least two repeats. The tolerance of an iterate has two parts: five standard errors, and what fits
/// may be wrong by: a_k = ρ a_{k−1} + `fit_tolerance`, a_0 = 0, with ρ the slowest factor of the predicted distances and
/// of small errors near the signal: the iteration shrinks an old error like any other.
SchemeResult compare(const Scheme& scheme, const std::vector<std::vector<theory::Gaussian>>& repeats_RK, double fit_tolerance);

}  // namespace unchannel::verification
