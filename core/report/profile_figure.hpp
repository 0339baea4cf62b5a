#pragma once

#include <limits>
#include <string>
#include <vector>

#include "figure.hpp"

namespace unchannel::report {

/// Statistics over the values of an unknown parameter, each in units of the limit beyond which a value is rejected.
struct ProfileCurves {
  struct Curve {
    std::string name;
    std::vector<double> share_of_limit;  ///< one for each value
  };
  std::string parameter;
  std::vector<double> value;
  std::vector<Curve> curves;
  double low = std::numeric_limits<double>::quiet_NaN();  ///< ends of what was found; NaN: open
  double high = std::numeric_limits<double>::quiet_NaN();
  bool logarithmic = false;
};

/// The curves with the limits at 1 and −1 and the ends that were found. Beyond 5 limits a curve is cut off.
Figure profile_figure(const ProfileCurves& curves);

}  // namespace unchannel::report
