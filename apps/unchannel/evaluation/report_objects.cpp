#include "report_objects.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>

namespace unchannel {
namespace {

at::Tensor tensor_of(const std::vector<std::int64_t>& values) {
  at::Tensor result = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), result.data_ptr<std::int64_t>());
  return result;
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
  ReportObjects objects;
  objects.wanted = wanted_objects(reader, rows);
  const std::uint64_t count = objects.wanted.count;
  check<DataError>(count > 0, "{}: has no rows.", input.string());
  objects.batch = read_observations(reader, channel, 0, count);
  const auto signal_size = static_cast<std::size_t>(objects.batch.lifted_BD.size(1));
  const auto& ids = objects.wanted.ids;
  objects.ids_N = ids ? tensor_of(*ids) : at::arange(static_cast<std::int64_t>(count), at::kLong);
  objects.names = first(reader.object_names(), count);
  if (auto redshift = reader.redshift()) objects.redshift = first(std::move(redshift), count);
  objects.axis = axis_of(reader, signal_size);
  objects.origin = reader.attribute("origin");
  for (const LatentInfo& latent : reader.latents()) objects.latents.push_back(latent.name);
  read_scalars(reader, count, objects.scalars);
  if (truth.empty()) return objects;

  const ObjectFile file(truth.string(), DatasetKind::signals);
  const DatasetReader& signals = file.reader;
  check<ShapeError>(signals.dim() == signal_size, "{}: a row has {} elements; the signals of this run have {}.", truth.string(), signals.dim(),
                    signal_size);
  objects.truth_ND = read_rows(signals, matched_rows(file, objects.wanted));
  if (!objects.axis.is_wavelength) objects.axis = axis_of(signals, signal_size);
  objects.truth_provenance = nlohmann::json::parse(signals.attribute("provenance"), nullptr, false);
  if (objects.truth_provenance.is_discarded()) objects.truth_provenance = nullptr;
  return objects;
}

}  // namespace unchannel
