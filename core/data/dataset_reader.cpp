#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>

#include "dataset.hpp"
#include "hdf5_rows.hpp"

namespace unchannel {
namespace {

constexpr const char* kWavelength = "coordinates/wavelength";

void check_finite(std::span<const float> values, std::uint64_t dim, const std::string& place, auto row_of) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (std::isfinite(values[k])) continue;
    throw DataError(fmt::format("{}: row {}, column {} is {}; values must be finite. Write 0 there and mark the element in /mask.", place,
                                row_of(k / dim), k % dim, values[k]));
  }
}

// The two ways to name rows, so that every field has one implementation for both.
struct Range {
  std::uint64_t first, count;
  std::uint64_t size() const { return count; }
  std::uint64_t operator()(std::uint64_t k) const { return first + k; }
  void read(const hdf5::RowDataset& from, ElementType type, void* out) const { from.read(first, count, type, out); }
};
struct Indices {
  std::span<const std::uint64_t> rows;
  std::uint64_t size() const { return rows.size(); }
  std::uint64_t operator()(std::uint64_t k) const { return rows[k]; }
  void read(const hdf5::RowDataset& from, ElementType type, void* out) const { from.gather(rows, type, out); }
};

template <class T>
void check_size(std::span<T> out, std::uint64_t count, std::uint64_t row_size, const std::string& place) {
  check<ShapeError>(out.size() == count * row_size, "{}: the buffer has {} elements; {} rows of {} need {}.", place, out.size(), count,
                    row_size, count * row_size);
}

template <class T, class Rows>
std::vector<T> read_values(const hdf5::RowDataset& from, const Rows& rows) {
  std::vector<T> values(rows.size() * from.row_size());
  rows.read(from, ElementTypeOf<T>::value, values.data());
  return values;
}

}  // namespace

std::string_view to_string(DatasetKind kind) noexcept { return kind == DatasetKind::signals ? "signals" : "observations"; }

struct DatasetReader::State {
  std::filesystem::path path;
  std::string place;
  hdf5::Handle file;
  DatasetKind kind = DatasetKind::signals;
  std::optional<hdf5::RowDataset> main, ivar, mask;
  std::vector<LatentInfo> latents;
  std::map<std::string, hdf5::RowDataset> latent_data;
  std::optional<WavelengthAxis> wavelength;
  std::vector<std::string> numeric_columns, text_columns;

  void open_main(std::optional<DatasetKind> expected);
  std::optional<hdf5::RowDataset> open_companion(const std::string& name, ElementType type);
  void open_latents();
  void open_wavelength();
  bool is_readable(const std::string& name) const;
  void list_columns();

  template <class Rows>
  void read_float(const hdf5::RowDataset& from, const Rows& rows, std::span<float> out, bool non_negative) const {
    check_size(out, rows.size(), from.row_size(), from.place());
    rows.read(from, ElementType::float32, out.data());
    check_finite(out, from.row_size(), from.place(), rows);
    if (!non_negative) return;
    for (std::size_t k = 0; k < out.size(); ++k) {
      check<DataError>(out[k] >= 0, "{}: row {}, column {} is {}; an inverse variance must not be negative.", from.place(),
                       rows(k / from.row_size()), k % from.row_size(), out[k]);
    }
  }
  const hdf5::RowDataset& present(const std::optional<hdf5::RowDataset>& field, const char* name) const {
    check<DataError>(field.has_value(), "{}: has no /{}; write it into the file or choose settings that do not need it.", place, name);
    return *field;
  }
  template <class Rows>
  void read_mask(const Rows& rows, std::span<std::uint8_t> out) const {
    const hdf5::RowDataset& from = present(mask, "mask");
    check_size(out, rows.size(), from.row_size(), from.place());
    rows.read(from, ElementType::uint8, out.data());
    for (std::uint8_t& value : out) value = value != 0;
  }
  template <class Rows>
  LatentValues read_latent(const std::string& name, const Rows& rows) const {
    const hdf5::RowDataset& from = latent_data.at(name);
    if (from.type() == ElementType::int32) return read_values<std::int32_t>(from, rows);
    if (from.type() == ElementType::int64) return read_values<std::int64_t>(from, rows);
    std::vector<float> values = read_values<float>(from, rows);
    check_finite(values, from.row_size(), from.place(), rows);
    return values;
  }
};

void DatasetReader::State::open_main(std::optional<DatasetKind> expected) {
  const bool has_signals = hdf5::has_hard_link(file.get(), "signals");
  const bool has_observations = hdf5::has_hard_link(file.get(), "observations");
  if (expected) {
    kind = *expected;
    const std::string other = std::string(to_string(kind == DatasetKind::signals ? DatasetKind::observations : DatasetKind::signals));
    check<DataError>(kind == DatasetKind::signals ? has_signals : has_observations, "{}: has no /{}{}. Give a file that holds {}.", place,
                     to_string(kind), has_signals || has_observations ? fmt::format(", only /{}", other) : "", to_string(kind));
  } else {
    check<DataError>(has_signals || has_observations, "{}: has neither /signals nor /observations; found: {}.", place,
                     fmt::join(hdf5::list_links(file.get(), place), ", "));
    check<DataError>(!(has_signals && has_observations), "{}: has both /signals and /observations; which one is meant must be said.",
                     place);
    kind = has_signals ? DatasetKind::signals : DatasetKind::observations;
  }
  main.emplace(file.get(), std::string(to_string(kind)), place);
  check<DataError>(main->type() == ElementType::float32, "{} holds {}; it must hold float32. Write it with astype(\"float32\").",
                   main->place(), to_string(main->type()));
  check<DataError>(!main->row_shape().empty(), "{} has rank 1; it must be [N, D]. Write it with shape (N, D), one object a row.",
                   main->place());
  check<DataError>(main->rows() > 0, "{} has no rows.", main->place());
}

std::optional<hdf5::RowDataset> DatasetReader::State::open_companion(const std::string& name, ElementType type) {
  if (!hdf5::has_hard_link(file.get(), name)) return std::nullopt;
  hdf5::RowDataset dataset(file.get(), name, place);
  check<DataError>(dataset.type() == type, "{} holds {}; it must hold {}.", dataset.place(), to_string(dataset.type()), to_string(type));
  check<DataError>(dataset.rows() == main->rows() && dataset.row_shape() == main->row_shape(),
                   "{} has shape [{}, {}]; it must have the shape [{}, {}] of /{}.", dataset.place(), dataset.rows(),
                   fmt::join(dataset.row_shape(), ", "), main->rows(), fmt::join(main->row_shape(), ", "), to_string(kind));
  return dataset;
}

void DatasetReader::State::open_latents() {
  if (!hdf5::has_hard_link(file.get(), "latents")) return;
  const hdf5::Lock lock;
  const hdf5::Handle group = hdf5::own(H5Gopen2(file.get(), "latents", H5P_DEFAULT), H5Gclose, place, "opening /latents");
  for (const std::string& name : hdf5::list_links(group.get(), place)) {
    hdf5::RowDataset data(file.get(), "latents/" + name, place);
    check<DataError>(data.rows() == main->rows(), "{} has {} rows, but /{} has {}.", data.place(), data.rows(), to_string(kind),
                     main->rows());
    check<DataError>(data.type() == ElementType::float32 || data.type() == ElementType::int32 || data.type() == ElementType::int64,
                     "{} holds {}; a latent must be float32, int32 or int64.", data.place(), to_string(data.type()));
    latents.push_back({name, data.type(), data.row_shape(), data.row_size()});
    latent_data.emplace(name, std::move(data));
  }
}

void DatasetReader::State::open_wavelength() {
  if (!hdf5::has_hard_link(file.get(), "coordinates") || !hdf5::has_hard_link(file.get(), kWavelength)) return;
  const hdf5::RowDataset data(file.get(), kWavelength, place);
  check<DataError>(data.row_shape().empty(), "{} has rank {}; it must be [D].", data.place(), data.row_shape().size() + 1);
  check<DataError>(data.rows() == main->row_size(), "{} has {} values, but a row has {}.", data.place(), data.rows(), main->row_size());
  const std::string unit = data.attribute("unit");
  check<DataError>(unit == "angstrom" || unit == "Angstrom", "{} has unit \"{}\"; it must be \"angstrom\".", data.place(), unit);
  WavelengthAxis axis{std::vector<double>(data.rows()), data.attribute("medium"), data.attribute("frame")};
  data.read(0, data.rows(), ElementType::float64, axis.angstrom.data());
  check_wavelength(axis, main->row_size(), place);
  wavelength = std::move(axis);
}

bool DatasetReader::State::is_readable(const std::string& name) const {
  try {
    const hdf5::RowDataset column(file.get(), name, place);
    return true;
  } catch (const DataError&) {
    return false;
  }
}

// Other programs keep more in a file than our columns (an axis, numbers of other types): that is passed over, not refused.
void DatasetReader::State::list_columns() {
  const hdf5::Lock lock;
  for (const std::string& name : hdf5::list_links(file.get(), place)) {
    const hdf5::Handle object(H5Oopen(file.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
    if (!object || H5Iget_type(object.get()) != H5I_DATASET) continue;
    const hdf5::Handle space(H5Dget_space(object.get()), H5Sclose);
    const hdf5::Handle type(H5Dget_type(object.get()), H5Tclose);
    hsize_t length = 0;
    if (H5Sget_simple_extent_ndims(space.get()) != 1 || H5Sget_simple_extent_dims(space.get(), &length, nullptr) < 0) continue;
    if (length != main->rows()) continue;
    const H5T_class_t kind_of_type = H5Tget_class(type.get());
    if (kind_of_type == H5T_STRING) text_columns.push_back(name);
    if ((kind_of_type == H5T_INTEGER || kind_of_type == H5T_FLOAT) && is_readable(name)) numeric_columns.push_back(name);
  }
}

DatasetReader::DatasetReader(std::filesystem::path path, std::optional<DatasetKind> expected) : state_(std::make_unique<State>()) {
  const hdf5::Lock lock;
  state_->path = std::move(path);
  state_->place = state_->path.string();
  state_->file = hdf5::open_file(state_->path);
  state_->open_main(expected);
  state_->ivar = state_->open_companion("ivar", ElementType::float32);
  state_->mask = state_->open_companion("mask", ElementType::uint8);
  state_->open_latents();
  state_->open_wavelength();
  state_->list_columns();
}

DatasetReader::DatasetReader(DatasetReader&&) noexcept = default;
DatasetReader& DatasetReader::operator=(DatasetReader&&) noexcept = default;
DatasetReader::~DatasetReader() = default;

const std::filesystem::path& DatasetReader::path() const noexcept { return state_->path; }
DatasetKind DatasetReader::kind() const noexcept { return state_->kind; }
std::uint64_t DatasetReader::rows() const noexcept { return state_->main->rows(); }
std::uint64_t DatasetReader::dim() const noexcept { return state_->main->row_size(); }
const std::vector<std::uint64_t>& DatasetReader::row_shape() const noexcept { return state_->main->row_shape(); }
std::uint64_t DatasetReader::chunk_rows() const noexcept { return state_->main->chunk_rows(); }
bool DatasetReader::has_ivar() const noexcept { return state_->ivar.has_value(); }
bool DatasetReader::has_mask() const noexcept { return state_->mask.has_value(); }
const std::vector<LatentInfo>& DatasetReader::latents() const noexcept { return state_->latents; }
const std::optional<WavelengthAxis>& DatasetReader::wavelength() const noexcept { return state_->wavelength; }

void DatasetReader::read_rows(std::uint64_t first, std::uint64_t count, std::span<float> out) const {
  state_->read_float(*state_->main, Range{first, count}, out, false);
}
void DatasetReader::read_rows(std::span<const std::uint64_t> indices, std::span<float> out) const {
  state_->read_float(*state_->main, Indices{indices}, out, false);
}
void DatasetReader::read_ivar(std::uint64_t first, std::uint64_t count, std::span<float> out) const {
  state_->read_float(state_->present(state_->ivar, "ivar"), Range{first, count}, out, true);
}
void DatasetReader::read_ivar(std::span<const std::uint64_t> indices, std::span<float> out) const {
  state_->read_float(state_->present(state_->ivar, "ivar"), Indices{indices}, out, true);
}
void DatasetReader::read_mask(std::uint64_t first, std::uint64_t count, std::span<std::uint8_t> out) const {
  state_->read_mask(Range{first, count}, out);
}
void DatasetReader::read_mask(std::span<const std::uint64_t> indices, std::span<std::uint8_t> out) const {
  state_->read_mask(Indices{indices}, out);
}

const LatentInfo& DatasetReader::latent(const std::string& name) const {
  std::vector<std::string> known;
  for (const LatentInfo& info : state_->latents) {
    if (info.name == name) return info;
    known.push_back(info.name);
  }
  throw DataError(fmt::format("{}: has no /latents/{}; it has: {}.{}", state_->place, name,
                              known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")), did_you_mean(name, known)));
}

LatentValues DatasetReader::read_latent(const std::string& name, std::uint64_t first, std::uint64_t count) const {
  latent(name);
  return state_->read_latent(name, Range{first, count});
}
LatentValues DatasetReader::read_latent(const std::string& name, std::span<const std::uint64_t> indices) const {
  latent(name);
  return state_->read_latent(name, Indices{indices});
}

std::vector<std::string> DatasetReader::numeric_columns() const { return state_->numeric_columns; }
std::vector<std::string> DatasetReader::text_columns() const { return state_->text_columns; }

std::optional<std::vector<double>> DatasetReader::numeric_column(const std::string& name) const {
  if (std::ranges::find(state_->numeric_columns, name) == state_->numeric_columns.end()) return std::nullopt;
  const hdf5::Lock lock;
  const hdf5::RowDataset data(state_->file.get(), name, state_->place);
  data.checked_bytes();
  std::vector<double> values(data.rows());
  const auto widen = [&](auto sample) {
    const auto raw = read_values<decltype(sample)>(data, Range{0, data.rows()});
    for (std::size_t k = 0; k < raw.size(); ++k) values[k] = static_cast<double>(raw[k]);
  };
  switch (data.type()) {
    case ElementType::float32:
      widen(float{});
      break;
    case ElementType::float64:
      widen(double{});
      break;
    case ElementType::int32:
      widen(std::int32_t{});
      break;
    case ElementType::int64:
      widen(std::int64_t{});
      break;
    case ElementType::uint8:
      widen(std::uint8_t{});
      break;
  }
  return values;
}

std::optional<std::vector<std::string>> DatasetReader::text_column(const std::string& name) const {
  if (std::ranges::find(state_->text_columns, name) == state_->text_columns.end()) return std::nullopt;
  return hdf5::read_text_rows(state_->file.get(), name, state_->place);
}

std::optional<std::vector<std::string>> DatasetReader::object_names() const { return text_column("object_name"); }
std::optional<std::vector<double>> DatasetReader::redshift() const { return numeric_column("redshift"); }

std::optional<std::vector<std::int64_t>> DatasetReader::object_ids() const {
  if (std::ranges::find(state_->numeric_columns, "object_id") == state_->numeric_columns.end()) return std::nullopt;
  const hdf5::RowDataset data(state_->file.get(), "object_id", state_->place);
  data.checked_bytes();
  if (data.type() == ElementType::int64) return read_values<std::int64_t>(data, Range{0, data.rows()});
  constexpr double kExact = 9007199254740992.0;  // 2^53: whole numbers above it are not told apart
  const std::vector<double> values = *numeric_column("object_id");
  std::vector<std::int64_t> ids;
  for (const double value : values) {
    check<DataError>(std::trunc(value) == value && std::abs(value) <= kExact,
                     "{}: row {} is {}; an id must be a whole number, of at most 2^53 in floating point. Write it as int64.", data.place(),
                     ids.size(), value);
    ids.push_back(static_cast<std::int64_t>(value));
  }
  return ids;
}

std::string DatasetReader::attribute(const std::string& name) const {
  return hdf5::read_text_attribute(state_->file.get(), name, state_->place);
}

std::map<std::string, std::string> DatasetReader::attributes() const {
  std::map<std::string, std::string> all;
  for (const std::string& name : hdf5::list_attributes(state_->file.get())) {
    if (std::string text = attribute(name); !text.empty()) all.emplace(name, std::move(text));
  }
  return all;
}

}  // namespace unchannel
