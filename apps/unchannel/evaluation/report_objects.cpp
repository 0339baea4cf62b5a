#include "report_objects.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>

namespace unchannel {
namespace {

at::Tensor tensor_of(const std::vector<std::int64_t>& values) {
  at::Tensor result = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), result.data_ptr<std::int64_t>());
  return result;
}

/// Rows of the truth that belong to the first `count` rows of the observations.
std::vector<std::uint64_t> truth_rows(const DatasetReader& observed, const DatasetReader& truth, std::uint64_t count) {
  std::vector<std::uint64_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::uint64_t{0});
  const auto wanted = observed.object_ids(), stored = truth.object_ids();
  const std::string path = truth.path().string(), other = observed.path().string();
  check<DataError>(wanted.has_value() == stored.has_value(),
                   "{} and {}: one of them has /object_id and the other has not, so their rows cannot be matched. Give the file that the "
                   "observations were made from.", path, other);
  if (!wanted) {
    check<ShapeError>(truth.rows() == observed.rows(), "{} has {} rows and {} has {}; without /object_id row i must belong to row i.", path,
                      truth.rows(), other, observed.rows());
    return rows;
  }
  std::unordered_map<std::int64_t, std::uint64_t> row_of;
  for (std::size_t row = 0; row < stored->size(); ++row) row_of.emplace((*stored)[row], row);
  for (std::uint64_t& row : rows) {
    const std::int64_t id = (*wanted)[row];
    const auto found = row_of.find(id);
    check<DataError>(found != row_of.end(), "{}: holds no object {} of {}. Give the file that the observations were made from.", path, id, other);
    row = found->second;
  }
  return rows;
}

report::PixelAxis axis_of(const DatasetReader& reader, std::size_t dimension) {
  const auto& wavelength = reader.wavelength();
  if (!wavelength || wavelength->angstrom.size() != dimension) return report::pixel_numbers(dimension);
  return {wavelength->angstrom, true, wavelength->frame == "rest", wavelength->medium};
}

void read_scalars(const DatasetReader& reader, std::uint64_t count, std::map<std::string, at::Tensor>& scalars) {
  for (const LatentInfo& info : reader.latents()) {
    if (info.row_size == 1) scalars.emplace(info.name, numbers_of(reader.read_latent(info.name, 0, count)));
  }
}

template <class T>
std::vector<T> first(std::optional<std::vector<T>> values, std::uint64_t count) {
  if (!values) return {};
  values->resize(count);
  return *values;
}

}  // namespace

at::Tensor numbers_of(const LatentValues& values) {
  return std::visit(
      [](const auto& numbers) {
        at::Tensor result = at::empty({static_cast<std::int64_t>(numbers.size())}, at::kDouble);
        std::copy(numbers.begin(), numbers.end(), result.data_ptr<double>());
        return result;
      },
      values);
}

ReportObjects read_report_objects(const std::filesystem::path& input, const std::filesystem::path& truth, std::uint64_t rows,
                                  const Channel& channel) {
  const DatasetReader reader(input, DatasetKind::observations);
  const std::uint64_t count = std::min(rows, reader.rows());
  check<DataError>(count > 0, "{}: has no rows.", input.string());
  ReportObjects objects;
  objects.batch = read_observations(reader, channel, 0, count);
  const auto signal_size = static_cast<std::size_t>(objects.batch.lifted_BD.size(1));
  const auto ids = reader.object_ids();
  objects.has_object_ids = ids.has_value();
  objects.ids_N = ids ? tensor_of(first(ids, count)) : at::arange(static_cast<std::int64_t>(count), at::kLong);
  objects.names = first(reader.object_names(), count);
  if (auto redshift = reader.redshift()) objects.redshift = first(std::move(redshift), count);
  objects.axis = axis_of(reader, signal_size);
  objects.origin = reader.attribute("origin");
  for (const LatentInfo& latent : reader.latents()) objects.latents.push_back(latent.name);
  read_scalars(reader, count, objects.scalars);
  if (truth.empty()) return objects;

  const DatasetReader signals(truth, DatasetKind::signals);
  check<ShapeError>(signals.dim() == signal_size, "{}: a row has {} elements; the signals of this run have {}.", truth.string(), signals.dim(),
                    signal_size);
  objects.truth_ND = read_rows(signals, truth_rows(reader, signals, count));
  if (!objects.axis.is_wavelength) objects.axis = axis_of(signals, signal_size);
  objects.truth_provenance = nlohmann::json::parse(signals.attribute("provenance"), nullptr, false);
  if (objects.truth_provenance.is_discarded()) objects.truth_provenance = nullptr;
  return objects;
}

}  // namespace unchannel
