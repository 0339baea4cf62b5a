#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>

#include "dataset.hpp"
#include "dataset_columns.hpp"
#include "hdf5_rows.hpp"

namespace unchannel {
namespace {

constexpr std::uint64_t kChunkBytes = std::uint64_t{256} << 10;
constexpr const char* kSpace = "writing (is the disk full?)";

std::uint64_t product(const std::vector<std::uint64_t>& shape) {
  std::uint64_t size = 1;
  for (const std::uint64_t extent : shape) size *= extent;
  return size;
}

// A dataset that grows along its first axis.
class GrowingDataset {
 public:
  GrowingDataset(hid_t file, const std::string& name, hid_t type, std::uint64_t element_bytes, std::vector<std::uint64_t> row_shape,
                 std::string place)
      : place_(std::move(place)), row_shape_(std::move(row_shape)), type_(type) {
    std::vector<hsize_t> shape(row_shape_.begin(), row_shape_.end()), limit = shape, chunk = shape;
    const std::uint64_t row_bytes = product(row_shape_) * element_bytes;
    shape.insert(shape.begin(), 0);
    limit.insert(limit.begin(), H5S_UNLIMITED);
    chunk.insert(chunk.begin(), std::clamp<std::uint64_t>(kChunkBytes / row_bytes, 1, 4096));
    const auto rank = static_cast<int>(shape.size());
    const hdf5::Handle space = hdf5::own(H5Screate_simple(rank, shape.data(), limit.data()), H5Sclose, place_, kSpace);
    const hdf5::Handle creation = hdf5::own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, place_, kSpace);
    hdf5::require(H5Pset_chunk(creation.get(), rank, chunk.data()), place_, kSpace);
    if (element_bytes == 1) H5Pset_deflate(creation.get(), 1);  // masks are nearly constant
    H5Pset_attr_phase_change(creation.get(), 8, 6);
    const hdf5::Handle links = hdf5::own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, place_, kSpace);
    H5Pset_create_intermediate_group(links.get(), 1);
    dataset_ =
        hdf5::own(H5Dcreate2(file, name.c_str(), type, space.get(), links.get(), creation.get(), H5P_DEFAULT), H5Dclose, place_, kSpace);
  }

  void append(const void* values, std::uint64_t count) {
    if (count == 0) return;
    std::vector<hsize_t> extent(row_shape_.begin(), row_shape_.end()), offset(row_shape_.size() + 1, 0);
    extent.insert(extent.begin(), rows_ + count);
    offset[0] = rows_;
    hdf5::require(H5Dset_extent(dataset_.get(), extent.data()), place_, kSpace);
    extent[0] = count;
    const auto rank = static_cast<int>(extent.size());
    const hdf5::Handle space = hdf5::own(H5Dget_space(dataset_.get()), H5Sclose, place_, kSpace);
    hdf5::require(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, offset.data(), nullptr, extent.data(), nullptr), place_, kSpace);
    const hdf5::Handle memory = hdf5::own(H5Screate_simple(rank, extent.data(), nullptr), H5Sclose, place_, kSpace);
    hdf5::require(H5Dwrite(dataset_.get(), type_, memory.get(), space.get(), H5P_DEFAULT, values), place_, kSpace);
    rows_ += count;
  }

  void close() { hdf5::require(dataset_.close(), place_, kSpace); }
  void describe(const std::string& key, const std::string& text) { hdf5::write_text_attribute(dataset_.get(), key, text, place_); }
  std::uint64_t rows() const { return rows_; }
  std::uint64_t row_size() const { return product(row_shape_); }
  const std::vector<std::uint64_t>& row_shape() const { return row_shape_; }
  const std::string& place() const { return place_; }
  hid_t type() const { return type_; }

 private:
  std::string place_;
  std::vector<std::uint64_t> row_shape_;
  hid_t type_;
  std::uint64_t rows_ = 0;
  hdf5::Handle dataset_;
};

enum class Allowed { any, finite, non_negative };

template <class T>
void check_values(std::span<const T> values, std::uint64_t row_size, std::uint64_t first, const std::string& place, Allowed allowed) {
  if constexpr (std::is_floating_point_v<T>) {
    if (allowed == Allowed::any) return;
    const bool non_negative = allowed == Allowed::non_negative;
    for (std::size_t k = 0; k < values.size(); ++k) {
      check<DataError>(std::isfinite(values[k]) && (!non_negative || values[k] >= 0),
                       "{}: row {}, column {} would be {}; values must be {}.", place, first + k / row_size, k % row_size, values[k],
                       non_negative ? "finite and not negative" : "finite");
    }
  }
}

}  // namespace

struct DatasetWriter::State {
  State(std::filesystem::path target, DatasetKind row_kind, std::vector<std::uint64_t> shape)
      : place(target.string()), main_name(to_string(row_kind)), row_shape(std::move(shape)), output(std::move(target)) {}

  std::string place;
  std::string main_name;
  std::vector<std::uint64_t> row_shape;
  AtomicFile output;
  hdf5::Handle text_type;
  hdf5::Handle file;
  std::map<std::string, GrowingDataset> datasets;
  std::map<std::string, std::string> links;

  // HDF5 cannot drop a file: closing one whose bytes do not reach the disk fails and leaves the library in a state that crashes
  // the process later. So the descriptor below an abandoned file is pointed at the null device, and closing then succeeds.
  ~State() {
    const hdf5::Lock lock;
    void* descriptor = nullptr;
    if (!file || H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &descriptor) < 0) return;
    const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere >= 0) {
      ::dup2(nowhere, *static_cast<int*>(descriptor));
      ::close(nowhere);
    }
    datasets.clear();
    file.close();
  }

  // The dataset `name`, made at first use; a later call must agree in type and shape.
  GrowingDataset& dataset(const std::string& name, hid_t type, std::uint64_t element_bytes, const std::vector<std::uint64_t>& shape) {
    if (const auto found = datasets.find(name); found != datasets.end()) {
      check<ShapeError>(found->second.row_shape() == shape && H5Tequal(found->second.type(), type) > 0,
                        "{}: /{} was begun with another shape or type; every block must agree with the first.", place, name);
      return found->second;
    }
    check<DataError>(!links.contains(name), "{}: /{} is a link and cannot be appended to.", place, name);
    check<ShapeError>(product(shape) > 0, "{}: /{} would have rows without elements.", place, name);
    return datasets.emplace(name, GrowingDataset(file.get(), name, type, element_bytes, shape, place + ": /" + name)).first->second;
  }

  template <class T>
  void append(const std::string& name, const std::vector<std::uint64_t>& shape, std::span<const T> values,
              Allowed allowed = Allowed::finite) {
    const hdf5::Lock lock;
    GrowingDataset& target = dataset(name, hdf5::memory_type(ElementTypeOf<T>::value), sizeof(T), shape);
    check<ShapeError>(values.size() % target.row_size() == 0, "{}: a block of {} values is no whole number of rows of {}.", target.place(),
                      values.size(), target.row_size());
    check_values(values, target.row_size(), target.rows(), target.place(), allowed);
    target.append(values.data(), values.size() / target.row_size());
  }
};

DatasetWriter::DatasetWriter(std::filesystem::path path, DatasetKind kind, std::vector<std::uint64_t> row_shape)
    : state_(std::make_unique<State>(std::move(path), kind, std::move(row_shape))) {
  const hdf5::Lock lock;
  State& s = *state_;
  check<ShapeError>(!s.row_shape.empty() && product(s.row_shape) > 0, "{}: a row must have at least one axis and one element.", s.place);
  const hdf5::Handle access = hdf5::own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, s.place, "preparing to write");
  H5Pset_file_locking(access.get(), true, true);
  s.file = hdf5::own(H5Fcreate(s.output.path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose, s.place, "creating the file");
  s.text_type = hdf5::own(H5Tcopy(H5T_C_S1), H5Tclose, s.place, "preparing text");
  H5Tset_size(s.text_type.get(), H5T_VARIABLE);
  H5Tset_cset(s.text_type.get(), H5T_CSET_UTF8);
  const hdf5::Handle scalar = hdf5::own(H5Screate(H5S_SCALAR), H5Sclose, s.place, kSpace);
  const hdf5::Handle format = hdf5::own(H5Acreate2(s.file.get(), "unchannel_format", H5T_STD_I64LE, scalar.get(), H5P_DEFAULT, H5P_DEFAULT),
                                        H5Aclose, s.place, kSpace);
  const std::int64_t version = 1;
  hdf5::require(H5Awrite(format.get(), H5T_NATIVE_INT64, &version), s.place, kSpace);
  s.dataset(s.main_name, hdf5::memory_type(ElementType::float32), sizeof(float), s.row_shape);
}

DatasetWriter::DatasetWriter(DatasetWriter&&) noexcept = default;
DatasetWriter::~DatasetWriter() = default;

std::uint64_t DatasetWriter::rows() const noexcept { return state_->datasets.at(state_->main_name).rows(); }
std::uint64_t DatasetWriter::dim() const noexcept { return product(state_->row_shape); }

void DatasetWriter::append(std::span<const float> rows) { state_->append(state_->main_name, state_->row_shape, rows); }
void DatasetWriter::append_ivar(std::span<const float> rows) { state_->append("ivar", state_->row_shape, rows, Allowed::non_negative); }
void DatasetWriter::append_mask(std::span<const std::uint8_t> rows) { state_->append("mask", state_->row_shape, rows); }
void DatasetWriter::append_latent(const std::string& name, const std::vector<std::uint64_t>& row_shape, std::span<const float> values) {
  state_->append("latents/" + name, row_shape, values);
}
void DatasetWriter::append_latent(const std::string& name, const std::vector<std::uint64_t>& row_shape,
                                  std::span<const std::int32_t> values) {
  state_->append("latents/" + name, row_shape, values);
}
void DatasetWriter::append_latent(const std::string& name, const std::vector<std::uint64_t>& row_shape,
                                  std::span<const std::int64_t> values) {
  state_->append("latents/" + name, row_shape, values);
}

void DatasetWriter::link_latent(const std::string& name, const std::string& existing) {
  const hdf5::Lock lock;
  const std::string link = "latents/" + name;
  check<DataError>(state_->datasets.contains(existing), "{}: /{} cannot be linked to /{}, which was not written.", state_->place, link,
                   existing);
  const hdf5::Handle links = hdf5::own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, state_->place, kSpace);
  H5Pset_create_intermediate_group(links.get(), 1);
  hdf5::require(H5Lcreate_hard(state_->file.get(), existing.c_str(), state_->file.get(), link.c_str(), links.get(), H5P_DEFAULT),
                state_->place, "linking /" + link);
  state_->links.emplace(link, existing);
}

void DatasetWriter::append_object_ids(std::span<const std::int64_t> ids) { state_->append("object_id", {}, ids); }
void DatasetWriter::append_object_names(std::span<const std::string> names) { append_column("object_name", names); }
void DatasetWriter::append_redshift(std::span<const double> redshift) { append_column("redshift", redshift); }
void DatasetWriter::append_column(const std::string& name, std::span<const double> values) {
  state_->append(name, {}, values, Allowed::any);
}

void DatasetWriter::append_column(const std::string& name, std::span<const std::string> values) {
  const hdf5::Lock lock;
  GrowingDataset& target = state_->dataset(name, state_->text_type.get(), sizeof(char*) + 8, {});
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  target.append(pointers.data(), pointers.size());
}

void DatasetWriter::set_wavelength(const WavelengthAxis& axis) {
  const hdf5::Lock lock;
  const std::string name = "coordinates/wavelength";
  check_wavelength(axis, dim(), state_->place);
  check<DataError>(!state_->links.contains(name), "{}: the wavelengths were already set.", state_->place);
  GrowingDataset target(state_->file.get(), name, H5T_NATIVE_DOUBLE, sizeof(double), {}, state_->place + ": /" + name);
  target.append(axis.angstrom.data(), axis.angstrom.size());
  target.describe("unit", "angstrom");
  target.describe("medium", axis.medium);
  target.describe("frame", axis.frame);
  target.close();
  state_->links.emplace(name, name);
}

void DatasetWriter::set_attribute(const std::string& name, const std::string& text) {
  hdf5::write_text_attribute(state_->file.get(), name, text, state_->place);
}

void DatasetWriter::close() {
  const hdf5::Lock lock;
  State& s = *state_;
  check<DataError>(static_cast<bool>(s.file), "{}: was already closed.", s.place);
  for (const auto& [name, data] : s.datasets) {
    check<DataError>(data.rows() == rows(), "{} has {} rows, but /{} has {}.", data.place(), data.rows(), s.main_name, rows());
  }
  // Everything reaches the disk here, while a failure can still be undone (see ~State); closing then has nothing left to write.
  hdf5::require(H5Fflush(s.file.get(), H5F_SCOPE_LOCAL), s.place, kSpace);
  for (auto& [name, data] : s.datasets) data.close();
  hdf5::require(s.file.close(), s.place, kSpace);
  s.output.commit();
}

namespace {

template <class Value>
std::vector<Value> pick(const std::vector<Value>& column, std::span<const std::uint64_t> rows) {
  std::vector<Value> picked;
  picked.reserve(rows.size());
  for (const std::uint64_t row : rows) picked.push_back(column[row]);
  return picked;
}

}  // namespace

void copy_columns(const DatasetReader& source, std::span<const std::uint64_t> rows, DatasetWriter& target) {
  for (const std::uint64_t row : rows) {
    check<DataError>(row < source.rows(), "{}: row {} was asked for, but there are only {}.", source.path().string(), row, source.rows());
  }
  for (const std::string& name : source.numeric_columns()) {
    if (name == "object_id") {
      target.append_object_ids(pick(*source.object_ids(), rows));
    } else {
      target.append_column(name, pick(*source.numeric_column(name), rows));
    }
  }
  for (const std::string& name : source.text_columns()) target.append_column(name, pick(*source.text_column(name), rows));
}

void copy_metadata(const DatasetReader& source, std::span<const std::uint64_t> rows, DatasetWriter& target) {
  copy_columns(source, rows, target);
  if (source.wavelength() && source.wavelength()->angstrom.size() == target.dim()) target.set_wavelength(*source.wavelength());
  for (const auto& [name, text] : source.attributes()) target.set_attribute(name, text);
}

namespace {

std::vector<std::uint64_t> row_numbers(const DatasetReader& source, std::uint64_t first, std::uint64_t count) {
  check<DataError>(first <= source.rows() && count <= source.rows() - first, "{}: rows {}…{} were asked for, but there are only {}.",
                   source.path().string(), first, first + count, source.rows());
  std::vector<std::uint64_t> rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

}  // namespace

void copy_columns(const DatasetReader& source, std::uint64_t first, std::uint64_t count, DatasetWriter& target) {
  copy_columns(source, row_numbers(source, first, count), target);
}

void copy_metadata(const DatasetReader& source, std::uint64_t first, std::uint64_t count, DatasetWriter& target) {
  copy_metadata(source, row_numbers(source, first, count), target);
}

}  // namespace unchannel
