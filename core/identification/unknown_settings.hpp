#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <unchannel/base/config.hpp>

namespace unchannel {

/// The [unknown] table: a parameter of the channel that is not known, what is believed of it beforehand, and what makes it identifiable.
/// docs/theory/identifiability.md.
struct UnknownSettings {
  std::string parameter;  ///< empty: every parameter is known
  std::int64_t stage = -1;
  std::string prior = "undeclared";
  double low = 0.0, high = 0.0;
  double mean = 0.0, deviation = 0.0;
  std::string constraint = "undeclared";
  std::vector<std::int64_t> signal_free_elements;
  std::vector<std::vector<double>> signal_free_directions;
  std::string calibration_signals, calibration_observations;
  double level = 0.9;
  std::int64_t points = 9;
  std::int64_t refinements = 3;
  std::int64_t members = 1;
  std::string refit = "start";
  std::int64_t refit_steps = 0;
  std::int64_t worlds = 99;

  bool declared() const { return !parameter.empty(); }
  void visit(SettingsVisitor& visitor);
  /// Rules that concern more than one key; `signals_have_range`: model.signal_min or model.signal_max is given. Throws ConfigError.
  void check_consistency(bool signals_have_range) const;
};

}  // namespace unchannel
