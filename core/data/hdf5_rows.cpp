#include "hdf5_rows.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include <unchannel/base/error.hpp>

namespace unchannel {

std::string_view to_string(ElementType type) noexcept {
  switch (type) {
    case ElementType::float32:
      return "float32";
    case ElementType::float64:
      return "float64";
    case ElementType::int32:
      return "int32";
    case ElementType::int64:
      return "int64";
    case ElementType::uint8:
      return "uint8";
  }
  return "unknown";
}

std::size_t size_of(ElementType type) noexcept {
  switch (type) {
    case ElementType::float32:
    case ElementType::int32:
      return 4;
    case ElementType::float64:
    case ElementType::int64:
      return 8;
    case ElementType::uint8:
      return 1;
  }
  return 0;
}

namespace hdf5 {
namespace {

constexpr std::uint64_t kMaxRowBytes = std::uint64_t{1} << 30;
// A filtered (compressed) chunk is unpacked whole, so its size is memory that a small file can demand.
constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{256} << 20;
constexpr std::size_t kMaxTextBytes = std::size_t{64} << 10;
constexpr std::uint64_t kMaxTextRows = 10'000'000;

// Opens `name` component by component, refusing anything but hard links on the way.
Handle open_dataset(hid_t file, const std::string& name, const std::string& place, hid_t access) {
  for (std::size_t end = name.find('/');; end = name.find('/', end + 1)) {
    const std::string prefix = name.substr(0, end);
    check<DataError>(has_hard_link(file, prefix), "{}: /{} is missing (or is a link, which is not followed).", place, prefix);
    if (end == std::string::npos) break;
  }
  H5O_info_t info{};
  require(H5Oget_info_by_name(file, name.c_str(), &info, H5P_DEFAULT), place, "looking up /" + name);
  check<DataError>(info.type == H5O_TYPE_DATASET, "{}: /{} is not a dataset.", place, name);
  return own(H5Dopen2(file, name.c_str(), access), H5Dclose, place, "opening /" + name);
}

}  // namespace

hid_t memory_type(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return H5T_NATIVE_FLOAT;
    case ElementType::float64:
      return H5T_NATIVE_DOUBLE;
    case ElementType::int32:
      return H5T_NATIVE_INT32;
    case ElementType::int64:
      return H5T_NATIVE_INT64;
    case ElementType::uint8:
      return H5T_NATIVE_UINT8;
  }
  return H5I_INVALID_HID;
}

RowDataset::RowDataset(hid_t file, const std::string& name, const std::string& place) : place_(place + ": /" + name) {
  const Lock lock;
  dataset_ = open_dataset(file, name, place, H5P_DEFAULT);
  const Handle space = own(H5Dget_space(dataset_.get()), H5Sclose, place_, "reading the shape");
  const int rank = H5Sget_simple_extent_ndims(space.get());
  check<DataError>(rank >= 1, "{} has rank {}; its first axis must count the rows. Write it as [N, …].", place_, rank);
  std::vector<hsize_t> shape(static_cast<std::size_t>(rank));
  require(H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr), place_, "reading the shape");
  rows_ = shape[0];
  row_shape_.assign(shape.begin() + 1, shape.end());
  const Handle type = own(H5Dget_type(dataset_.get()), H5Tclose, place_, "reading the type");
  check_type(type.get());
  for (const std::uint64_t extent : row_shape_) {
    check<DataError>(extent > 0, "{} has shape [{}, {}]; no axis may be empty.", place_, rows_, fmt::join(row_shape_, ", "));
    check<DataError>(extent <= kMaxRowBytes / row_size_, "{} has rows of shape [{}]; a row may have at most {} bytes.", place_,
                     fmt::join(row_shape_, ", "), kMaxRowBytes);
    row_size_ *= extent;
  }
  check<DataError>(row_size_ * size_of(type_) <= kMaxRowBytes, "{} has rows of shape [{}]; a row may have at most {} bytes.", place_,
                   fmt::join(row_shape_, ", "), kMaxRowBytes);
  const Handle creation = own(H5Dget_create_plist(dataset_.get()), H5Pclose, place_, "reading the storage layout");
  check_storage(creation.get());
  if (chunk_rows_ > 0) {  // reopen with a cache that holds at least one chunk, else scattered rows decode it again and again
    const std::size_t chunk_bytes = chunk_rows_ * row_size_ * size_of(type_);
    const Handle access = own(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, place_, "preparing to read");
    H5Pset_chunk_cache(access.get(), 521, std::clamp<std::size_t>(chunk_bytes, std::size_t{1} << 20, kMaxChunkBytes), 1.0);
    dataset_.close();  // while it is open the library would keep the first cache
    dataset_ = open_dataset(file, name, place, access.get());
  }
}

void RowDataset::check_type(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t bytes = H5Tget_size(type);
  if (kind == H5T_FLOAT && bytes == 4)
    type_ = ElementType::float32;
  else if (kind == H5T_FLOAT && bytes == 8)
    type_ = ElementType::float64;
  else if (kind == H5T_INTEGER && bytes == 4 && H5Tget_sign(type) == H5T_SGN_2)
    type_ = ElementType::int32;
  else if (kind == H5T_INTEGER && bytes == 8 && H5Tget_sign(type) == H5T_SGN_2)
    type_ = ElementType::int64;
  else if ((kind == H5T_INTEGER || kind == H5T_ENUM) && bytes == 1)
    type_ = ElementType::uint8;  // an enum is NumPy's bool
  else
    throw DataError(fmt::format("{} has an element type that is not supported ({} bytes); use float32, float64, int32, int64 or uint8.",
                                place_, bytes));
}

void RowDataset::check_storage(hid_t creation) {
  check<DataError>(H5Pget_external_count(creation) == 0 && H5Pget_layout(creation) != H5D_VIRTUAL,
                   "{} keeps its values in other files; a data file must be self-contained. Copy it with h5repack.", place_);
  if (H5Pget_layout(creation) != H5D_CHUNKED) return;
  std::vector<hsize_t> chunk(row_shape_.size() + 1);
  require(H5Pget_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), place_, "reading the chunk shape");
  std::uint64_t bytes = size_of(type_);
  for (const hsize_t extent : chunk) {
    check<DataError>(extent > 0 && extent <= kMaxChunkBytes / bytes,
                     "{} is stored in chunks of shape [{}]; a chunk may have at most {} bytes. Rewrite it with h5repack.", place_,
                     fmt::join(chunk, ", "), kMaxChunkBytes);
    bytes *= extent;
  }
  chunk_rows_ = chunk[0];
}

std::uint64_t RowDataset::checked_bytes() const {
  const Lock lock;
  const std::uint64_t stored = H5Dget_storage_size(dataset_.get());
  const std::uint64_t row_bytes = row_size_ * size_of(type_);
  check<DataError>(rows_ <= stored * 1100 / row_bytes, "{} claims {} rows of {} bytes, but only {} bytes are stored; the file is damaged.",
                   place_, rows_, row_bytes, stored);
  return rows_ * row_bytes;
}

void RowDataset::read(std::uint64_t first, std::uint64_t count, ElementType type, void* out) const {
  check<DataError>(type == type_, "{} holds {}; it must hold {}. Convert it, e.g. with NumPy's astype, and write it again.", place_,
                   to_string(type_), to_string(type));
  check<DataError>(first <= rows_ && count <= rows_ - first, "{}: rows {}…{} were asked for, but there are only {}.", place_, first,
                   first + count, rows_);
  if (count == 0) return;
  const Lock lock;
  std::vector<hsize_t> offset(row_shape_.size() + 1, 0);
  std::vector<hsize_t> extent(row_shape_.begin(), row_shape_.end());
  extent.insert(extent.begin(), count);
  offset[0] = first;
  const Handle space = own(H5Dget_space(dataset_.get()), H5Sclose, place_, "reading the shape");
  require(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, offset.data(), nullptr, extent.data(), nullptr), place_, "selecting rows");
  const Handle memory = own(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose, place_, "selecting rows");
  const herr_t status = H5Dread(dataset_.get(), memory_type(type), memory.get(), space.get(), H5P_DEFAULT, out);
  check<DataError>(status >= 0, "{}: rows {}…{} cannot be read: {}. The file is truncated or damaged; copy or write it again.", place_,
                   first, first + count - 1, status >= 0 ? "" : error_text());
}

void RowDataset::gather(std::span<const std::uint64_t> indices, ElementType type, void* out) const {
  // File order first: rows that lie together are read together and every chunk is visited once.
  std::vector<std::size_t> order(indices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return indices[a] < indices[b]; });
  const std::size_t row_bytes = row_size_ * size_of(type);
  const std::size_t run_limit = std::max<std::size_t>(1, (std::size_t{1} << 20) / row_bytes);
  std::vector<std::byte> buffer;
  for (std::size_t begin = 0; begin < order.size();) {
    const std::uint64_t first = indices[order[begin]];
    std::size_t end = begin + 1;
    while (end < order.size() && indices[order[end]] - first < run_limit && indices[order[end]] <= indices[order[end - 1]] + 1) ++end;
    const std::uint64_t count = indices[order[end - 1]] - first + 1;
    buffer.resize(count * row_bytes);
    read(first, count, type, buffer.data());
    for (std::size_t k = begin; k < end; ++k) {
      std::memcpy(static_cast<std::byte*>(out) + order[k] * row_bytes, buffer.data() + (indices[order[k]] - first) * row_bytes, row_bytes);
    }
    begin = end;
  }
}

std::vector<std::string> read_text_rows(hid_t file, const std::string& name, const std::string& place) {
  const Lock lock;
  const std::string where = place + ": /" + name;
  const Handle dataset = open_dataset(file, name, place, H5P_DEFAULT);
  const Handle space = own(H5Dget_space(dataset.get()), H5Sclose, where, "reading the shape");
  const Handle type = own(H5Dget_type(dataset.get()), H5Tclose, where, "reading the type");
  check<DataError>(H5Sget_simple_extent_ndims(space.get()) == 1 && H5Tget_class(type.get()) == H5T_STRING,
                   "{} must be a one-dimensional dataset of text.", where);
  hsize_t rows = 0;
  require(H5Sget_simple_extent_dims(space.get(), &rows, nullptr), where, "reading the shape");
  check<DataError>(rows <= kMaxTextRows, "{} has {} rows; at most {} are accepted.", where, rows, kMaxTextRows);
  const bool variable = H5Tis_variable_str(type.get()) > 0;
  const std::size_t width = H5Tget_size(type.get());
  check<DataError>(variable || width <= kMaxTextBytes, "{} has entries of {} bytes; at most {} are accepted.", where, width, kMaxTextBytes);
  const Handle creation = own(H5Dget_create_plist(dataset.get()), H5Pclose, where, "reading the storage layout");
  check<DataError>(H5Pget_external_count(creation.get()) == 0 && H5Pget_layout(creation.get()) != H5D_VIRTUAL,
                   "{} keeps its values in other files; a data file must be self-contained.", where);
  std::vector<std::string> names;
  constexpr hsize_t kSlice = 1024;  // bounds the memory for text that is not kept
  for (hsize_t first = 0; first < rows; first += kSlice) {
    const hsize_t count = std::min(kSlice, rows - first);
    require(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &first, nullptr, &count, nullptr), where, "selecting rows");
    const Handle memory = own(H5Screate_simple(1, &count, nullptr), H5Sclose, where, "selecting rows");
    if (variable) {
      std::vector<char*> pointers(count, nullptr);
      require(H5Dread(dataset.get(), type.get(), memory.get(), space.get(), H5P_DEFAULT, pointers.data()), where, "reading text");
      for (const char* text : pointers) names.emplace_back(text == nullptr ? "" : std::string(text, ::strnlen(text, kMaxTextBytes)));
      H5Dvlen_reclaim(type.get(), memory.get(), H5P_DEFAULT, pointers.data());
    } else {
      std::vector<char> text(count * width);
      require(H5Dread(dataset.get(), type.get(), memory.get(), space.get(), H5P_DEFAULT, text.data()), where, "reading text");
      for (hsize_t k = 0; k < count; ++k) names.emplace_back(text.data() + k * width, ::strnlen(text.data() + k * width, width));
    }
  }
  return names;
}

}  // namespace hdf5
}  // namespace unchannel
