#include "number_format.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

namespace unchannel {
namespace {

// Calls use(T{}) with the C++ type of the format.
template <class Use>
auto with_type(NumberKind kind, Use&& use) {
  switch (kind) {
    case NumberKind::int8:
      return use(std::int8_t{});
    case NumberKind::uint16:
      return use(std::uint16_t{});
    case NumberKind::int16:
      return use(std::int16_t{});
    case NumberKind::uint32:
      return use(std::uint32_t{});
    case NumberKind::int32:
      return use(std::int32_t{});
    case NumberKind::uint64:
      return use(std::uint64_t{});
    case NumberKind::int64:
      return use(std::int64_t{});
    case NumberKind::float32:
      return use(float{});
    case NumberKind::float64:
      return use(double{});
    case NumberKind::uint8:
      break;
  }
  return use(std::uint8_t{});
}

}  // namespace

std::size_t NumberFormat::size() const noexcept {
  return with_type(kind, [](auto zero) { return sizeof(zero); });
}

double NumberFormat::lowest() const noexcept {
  return is_integer() ? with_type(kind, [](auto zero) { return static_cast<double>(std::numeric_limits<decltype(zero)>::lowest()); }) : 0.0;
}

double NumberFormat::highest() const noexcept {
  if (boolean) return 1.0;
  return is_integer() ? with_type(kind, [](auto zero) { return static_cast<double>(std::numeric_limits<decltype(zero)>::max()); }) : 1.0;
}

std::string_view to_string(NumberKind kind) noexcept {
  constexpr std::string_view kNames[] = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"};
  return kNames[static_cast<std::size_t>(kind)];
}

void widen(NumberFormat format, std::span<const char> bytes, std::span<double> out) {
  const bool swap = format.big_endian != (std::endian::native == std::endian::big);
  with_type(format.kind, [&](auto value) {
    char raw[sizeof(value)];
    for (std::size_t k = 0; k < out.size(); ++k) {
      std::memcpy(raw, bytes.data() + k * sizeof(value), sizeof(value));
      if (swap) std::reverse(std::begin(raw), std::end(raw));
      std::memcpy(&value, raw, sizeof(value));
      out[k] = static_cast<double>(value);
    }
  });
}

}  // namespace unchannel
