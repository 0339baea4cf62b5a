#pragma once

#include <string>
#include <vector>

namespace unchannel {

/// Wavelength of every element of a row, as stored in /coordinates/wavelength.
struct WavelengthAxis {
  std::vector<double> angstrom;    ///< [D], increasing
  std::string medium = "vacuum";   ///< "vacuum" or "air"
  std::string frame = "observed";  ///< "rest" (of the object) or "observed"

  bool operator==(const WavelengthAxis&) const = default;
};

/// Throws DataError unless the axis has `size` finite, positive, increasing values and known medium and frame.
void check_wavelength(const WavelengthAxis& axis, std::size_t size, const std::string& place);

}  // namespace unchannel
