#pragma once

#include <ATen/core/Tensor.h>

#include <unchannel/measurement/channel.hpp>

#include "profile.hpp"

// Shape legend: N calibration rows · D signal dimensions · M observation dimensions
namespace unchannel::identification {

/// Observations of known signals.
struct CalibrationSet {
  at::Tensor x_ND, y_NM;
  Latents latents;  ///< those that came with the observations
};

/// Reads both files. Throws DataError, ShapeError, ConfigError when they hold different numbers of rows or fewer than 8.
CalibrationSet read_calibration(const std::string& signals, const std::string& observations, const Channel& channel);

/// √(mean |y − m(x)|²), m(x) the mean of 16 simulations of x: in worlds y* = F(x) less that of the observations. Too large a noise gives a
/// positive excess, too small a noise or a wrong kernel a negative one. The worlds know the true signals: exact up to their number.
/// Data units. Throws what the channel throws.
Discrepancy calibration_discrepancy(const CalibrationSet& set, const Channel& channel, std::int64_t worlds, RandomKey key);

}  // namespace unchannel::identification
