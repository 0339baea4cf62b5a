#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace unchannel {

/// Element types a data file may hold.
enum class ElementType { float32, float64, int32, int64, uint8 };

std::string_view to_string(ElementType type) noexcept;
std::size_t size_of(ElementType type) noexcept;

template <class T>
struct ElementTypeOf;
template <>
struct ElementTypeOf<float> {
  static constexpr ElementType value = ElementType::float32;
};
template <>
struct ElementTypeOf<double> {
  static constexpr ElementType value = ElementType::float64;
};
template <>
struct ElementTypeOf<std::int32_t> {
  static constexpr ElementType value = ElementType::int32;
};
template <>
struct ElementTypeOf<std::int64_t> {
  static constexpr ElementType value = ElementType::int64;
};
template <>
struct ElementTypeOf<std::uint8_t> {
  static constexpr ElementType value = ElementType::uint8;
};

}  // namespace unchannel
