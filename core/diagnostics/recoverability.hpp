#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <unchannel/measurement/channel.hpp>

// Shape legend: N rows · D signal dimensions
namespace unchannel::diagnostics {

/// Fewer signals are not probed with.
constexpr std::int64_t kLeastProbes = 64;

/// One principal direction of the learnt law of signals.
struct RecoverableDirection {
  std::int64_t rank = 0;  ///< 1: the direction of the largest variance
  double spread = 0;      ///< of the signals along it, data units
  double condition = 0;   ///< χ: change of the law of signals over change of the law of observations, both as KL divergences; at least 1
  bool condition_is_bound = false;  ///< the change of the observations was within two standard errors of none: χ is a lower bound
  double spread_error = 0;          ///< √(χ/(2 rows)): relative error to which so many observations fix the spread
  bool data_determined = false;     ///< spread_error ≤ 0.1
};

struct ProbeOptions {
  std::int64_t directions = 16;  ///< at most; ranks are geometrically spaced up to min(64, D, N/8)
  double stretch = 1.25;         ///< by which signals are drawn apart and together along a direction
};

/// Local condition numbers by probing the channel: signals x are stretched along a principal direction v about their mean, x + (s^±1 − 1) v
/// vᵀ(x − m), and measured with the same random numbers. With V± the variances of the observations along the direction in which they
/// respond most (chosen on the other half of the rows), docs/theory/verdict.md, (8):
///
///   χ = (4 ln s / (ln V₊ − ln V₋))²
///
/// For additive white noise of unit variance it is ((1 + c)/c)², c the variance along v; error of the finite stretch at most 3 % of √χ − 1
/// for c ≥ 0.1. x_ND [N, D] float32, N ≥ kLeastProbes · `own`: latents that came with the rows · `rows`: observations trained on. Throws
/// ShapeError, what the channel throws.
std::vector<RecoverableDirection> probe_recoverability(const Channel& channel, const at::Tensor& x_ND, const Latents& own,
                                                       std::int64_t rows, RandomKey key, const ProbeOptions& options = {});

}  // namespace unchannel::diagnostics
