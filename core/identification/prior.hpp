#pragma once

#include <vector>

#include "unknown_settings.hpp"

namespace unchannel::identification {

/// What is believed of the unknown parameter beforehand, and the coordinate in which its profile is drawn: the value, or its logarithm for
/// a log-uniform prior.
class Prior {
 public:
  /// `settings` are consistent.
  explicit Prior(const UnknownSettings& settings);

  double low() const { return low_; }
  double high() const { return high_; }
  double coordinate(double value) const;
  double value(double coordinate) const;
  /// Per unit of the coordinate, not normalised; low ≤ value ≤ high.
  double density(double value) const;
  /// `count` ≥ 2 values from low to high, evenly spaced in the coordinate.
  std::vector<double> spaced(std::size_t count) const;

 private:
  double low_, high_, mean_, deviation_;
  bool logarithmic_, normal_;
};

}  // namespace unchannel::identification
