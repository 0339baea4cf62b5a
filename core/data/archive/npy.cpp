#include "npy.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxRank = 32;  // NumPy's own limit (before 2.0)

// The text after `'key':` in the header.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& place) {
  const std::string quoted = "'" + std::string(key) + "'";
  const std::size_t at = header.find(quoted);
  check<DataError>(at != std::string_view::npos, "{}: the array header has no {}.", place, quoted);
  std::string_view rest = header.substr(at + quoted.size());
  const std::size_t begin = rest.find_first_not_of(": ");
  check<DataError>(begin != std::string_view::npos && begin > 0, "{}: the array header has no value for {}.", place, quoted);
  return rest.substr(begin);
}

std::vector<std::uint64_t> parse_shape(std::string_view text, const std::string& place) {
  check<DataError>(text.starts_with('('), "{}: the shape in the array header is no tuple.", place);
  text = text.substr(1, text.find(')') == std::string_view::npos ? 0 : text.find(')') - 1);
  std::vector<std::uint64_t> shape;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" ,");
    if (begin == std::string_view::npos) return shape;
    text.remove_prefix(begin);
    std::uint64_t extent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    check<DataError>(error == std::errc() && shape.size() < kMaxRank, "{}: the shape in the array header is not made of integers.", place);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    shape.push_back(extent);
  }
}

template <class T>
std::vector<double> widen(std::string_view bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (std::size_t k = 0; k < values.size(); ++k) {
    T value;
    std::memcpy(&value, bytes.data() + k * sizeof(T), sizeof(T));
    values[k] = static_cast<double>(value);
  }
  return values;
}

struct Format {
  std::string_view descr;
  std::size_t size;
  std::vector<double> (*widen)(std::string_view);
};
constexpr Format kFormats[] = {
    {"<f4", 4, widen<float>},        {"<f8", 8, widen<double>},       {"<i4", 4, widen<std::int32_t>},
    {"<i8", 8, widen<std::int64_t>}, {"|u1", 1, widen<std::uint8_t>}, {"|b1", 1, widen<std::uint8_t>},
};

// Element (i0, i1, …) of Fortran order lies at i0 + n0 (i1 + n1 (…)).
std::vector<double> to_row_major(const std::vector<double>& fortran, const std::vector<std::uint64_t>& shape) {
  std::vector<double> values(fortran.size());
  std::vector<std::uint64_t> index(shape.size(), 0);
  for (double& value : values) {
    std::uint64_t place = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) place = place * shape[axis] + index[axis];
    value = fortran[place];
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return values;
}

}  // namespace

std::size_t parse_npy_preamble(std::string_view preamble, const std::string& place) {
  check<DataError>(preamble.starts_with(kMagic) && preamble.size() >= 10, "{}: is no NumPy array (its signature is missing).", place);
  const auto byte = [&](std::size_t k) { return static_cast<std::size_t>(static_cast<unsigned char>(preamble[k])); };
  const std::size_t version = byte(6);
  check<DataError>(version >= 1 && version <= 3, "{}: has NumPy format version {}; 1 to 3 are known.", place, version);
  check<DataError>(preamble.size() >= npy_preamble_size(static_cast<unsigned>(version)), "{}: is truncated inside its header.", place);
  return version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
}

NpyHeader parse_npy_header(std::string_view text, const std::string& place) {
  NpyHeader header;
  const std::string_view descr = value_of(text, "descr", place);
  const std::size_t close = descr.starts_with('\'') ? descr.find('\'', 1) : std::string_view::npos;
  check<DataError>(close != std::string_view::npos, "{}: holds a structured array; only plain numbers are supported.", place);
  header.descr = descr.substr(1, close - 1);
  const std::string_view order = value_of(text, "fortran_order", place);
  check<DataError>(order.starts_with("True") || order.starts_with("False"), "{}: fortran_order is neither True nor False.", place);
  header.fortran_order = order.starts_with("True");
  header.shape = parse_shape(value_of(text, "shape", place), place);
  return header;
}

NpyArray parse_npy(std::string_view bytes, const std::string& place) {
  const std::size_t length = parse_npy_preamble(bytes, place);
  const std::size_t start = npy_preamble_size(static_cast<unsigned char>(bytes[6]));
  check<DataError>(length <= bytes.size() - start, "{}: is truncated inside its header.", place);
  const NpyHeader header = parse_npy_header(bytes.substr(start, length), place);
  const std::string_view data = bytes.substr(start + length);
  for (const Format& format : kFormats) {
    if (format.descr != header.descr) continue;
    std::uint64_t size = format.size;
    const bool empty = std::find(header.shape.begin(), header.shape.end(), std::uint64_t{0}) != header.shape.end();
    for (const std::uint64_t extent : header.shape) {
      check<DataError>(empty || extent <= data.size() / size, "{}: its header claims more elements than the {} bytes that follow hold.",
                       place, data.size());
      if (!empty) size *= extent;
    }
    if (empty) size = 0;
    check<DataError>(size == data.size(), "{}: its header needs {} bytes, but {} follow.", place, size, data.size());
    NpyArray array{header.shape, format.widen(data)};
    if (header.fortran_order) array.values = to_row_major(array.values, array.shape);
    return array;
  }
  throw DataError(fmt::format("{}: has element type '{}'; supported are <f4, <f8, <i4, <i8, |u1 and |b1. Convert it with astype.", place,
                              header.descr));
}

}  // namespace unchannel
