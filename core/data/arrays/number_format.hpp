#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace unchannel {

enum class NumberKind { uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32, float64 };

/// How a number lies in a file.
struct NumberFormat {
  NumberKind kind = NumberKind::uint8;
  bool big_endian = false;
  bool boolean = false;  ///< 0 and 1 are all it holds

  std::size_t size() const noexcept;
  bool is_integer() const noexcept { return kind != NumberKind::float32 && kind != NumberKind::float64; }
  /// Smallest and largest number of an integer format; 0 and 1 for the others.
  double lowest() const noexcept;
  double highest() const noexcept;
};
std::string_view to_string(NumberKind kind) noexcept;

/// Numbers of a file as doubles: bytes.size() = out.size() × format.size(). Integers of 64 bits lose what a double cannot hold.
void widen(NumberFormat format, std::span<const char> bytes, std::span<double> out);

}  // namespace unchannel
