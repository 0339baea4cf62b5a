#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unchannel {

/// A NumPy array, widened to double and always row-major.
struct NpyArray {
  std::vector<std::uint64_t> shape;  ///< empty for a scalar
  std::vector<double> values;
};

/// Parses the bytes of a `.npy` file, format versions 1 to 3 (numpy.lib.format). Accepts little-endian float32, float64, int32, int64
/// and bytes (|u1, |b1), C or Fortran order. The size that the header claims must equal the bytes that follow, which is checked before
/// memory is taken. Throws DataError naming `place`.
NpyArray parse_npy(std::string_view bytes, const std::string& place);

}  // namespace unchannel
