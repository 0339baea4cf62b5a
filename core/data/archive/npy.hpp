#pragma once

#include <cstddef>
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

/// The text of a `.npy` header, a Python dict literal that NumPy writes in one fixed style.
struct NpyHeader {
  std::string descr;  ///< e.g. "<f4"
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

/// Bytes before the header's text, its length among them, for a format version of 1 to 3.
constexpr std::size_t npy_preamble_size(unsigned version) { return version == 1 ? 10 : 12; }
/// Length of the header's text from the preamble [npy_preamble_size(version)]. Throws DataError: no NumPy array, another version.
std::size_t parse_npy_preamble(std::string_view preamble, const std::string& place);
/// Throws DataError when the text is not such a header.
NpyHeader parse_npy_header(std::string_view text, const std::string& place);

/// Parses the bytes of a `.npy` file, format versions 1 to 3 (numpy.lib.format). Accepts little-endian float32, float64, int32, int64
/// and bytes (|u1, |b1), C or Fortran order. The size that the header claims must equal the bytes that follow, which is checked before
/// memory is taken. Throws DataError naming `place`.
NpyArray parse_npy(std::string_view bytes, const std::string& place);

}  // namespace unchannel
