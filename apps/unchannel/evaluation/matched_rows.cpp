#include "matched_rows.hpp"

#include <algorithm>
#include <numeric>

#include <unchannel/base/error.hpp>
#include <unchannel/scsi/observed_rows.hpp>

namespace unchannel {

ObjectFile::ObjectFile(const std::string& path, std::optional<DatasetKind> expected) : reader(path, expected) {
  const auto ids = reader.object_ids();
  if (!ids) return;
  row_of.emplace();
  for (std::size_t row = 0; row < ids->size(); ++row) {
    check<DataError>(row_of->emplace((*ids)[row], row).second,
                     "{}: object_id {} occurs twice; rows are matched by it, so it must be unique.", path, (*ids)[row]);
  }
}

WantedObjects wanted_objects(const DatasetReader& reader, std::uint64_t most) {
  WantedObjects wanted{reader.path().string(), reader.rows(), std::min(most, reader.rows()), reader.object_ids()};
  if (wanted.ids) wanted.ids->resize(wanted.count);
  return wanted;
}

std::vector<std::uint64_t> matched_rows(const ObjectFile& file, const WantedObjects& wanted, const char* remedy) {
  const std::string path = file.reader.path().string();
  check<DataError>(
      file.row_of.has_value() == wanted.ids.has_value(),
      "{} and {}: one file has /object_id and the other not, so their rows cannot be matched. Write both with the same version of "
      "unchannel, or remove /object_id from the one that has it to match by row order.",
      path, wanted.path);
  if (!file.row_of) {
    check<DataError>(file.reader.rows() == wanted.file_rows, "{} has {} rows and {} has {}; without /object_id they must agree.", path,
                     file.reader.rows(), wanted.path, wanted.file_rows);
    return row_range(0, wanted.count);
  }
  std::vector<std::uint64_t> rows;
  std::size_t missing = 0;
  std::int64_t first_missing = 0;
  for (const std::int64_t id : *wanted.ids) {
    const auto found = file.row_of->find(id);
    if (found != file.row_of->end())
      rows.push_back(found->second);
    else if (missing++ == 0)
      first_missing = id;
  }
  check<DataError>(missing == 0, "{}: {} of the {} objects of {} are not in it, the first with object_id {}. {}", path, missing,
                   wanted.ids->size(), wanted.path, first_missing, remedy);
  return rows;
}

at::Tensor read_restored(const DatasetReader& reader, const std::vector<std::uint64_t>& rows, std::uint64_t dim) {
  const auto samples = reader.row_shape().size() > 1 && reader.row_shape()[0] * dim == reader.dim() ? reader.row_shape()[0] : 1;
  check<ShapeError>(samples * dim == reader.dim(), "{}: a row has {} elements and the truth's {}; they must be signals of one grid.",
                    reader.path().string(), reader.dim(), dim);
  return read_rows(reader, rows).slice(1, 0, static_cast<std::int64_t>(dim)).contiguous();
}

}  // namespace unchannel
