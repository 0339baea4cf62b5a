#include "wavelength_axis.hpp"

#include <cmath>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr const char* kWavelength = "coordinates/wavelength";

}  // namespace

void check_wavelength(const WavelengthAxis& axis, std::size_t size, const std::string& place) {
  check<DataError>(axis.angstrom.size() == size, "{}: /{} has {} values, but a row has {}.", place, kWavelength, axis.angstrom.size(),
                   size);
  for (std::size_t k = 0; k < size; ++k) {
    check<DataError>(std::isfinite(axis.angstrom[k]) && axis.angstrom[k] > (k == 0 ? 0.0 : axis.angstrom[k - 1]),
                     "{}: /{}[{}] = {}; wavelengths must be finite, positive and increasing.", place, kWavelength, k, axis.angstrom[k]);
  }
  check<DataError>(axis.medium == "vacuum" || axis.medium == "air", "{}: /{} has medium \"{}\"; it must be \"vacuum\" or \"air\".", place,
                   kWavelength, axis.medium);
  check<DataError>(axis.frame == "rest" || axis.frame == "observed", "{}: /{} has frame \"{}\"; it must be \"rest\" or \"observed\".",
                   place, kWavelength, axis.frame);
}

}  // namespace unchannel
