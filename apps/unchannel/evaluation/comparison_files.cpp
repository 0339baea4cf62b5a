#include "comparison_files.hpp"

#include <algorithm>

#include <unchannel/base/error.hpp>
#include <unchannel/scsi/observed_rows.hpp>

#include "method_names.hpp"

namespace unchannel {
namespace {

constexpr std::size_t kLongestName = 32;  // it labels a row of a figure

DatasetReader open_reference(const std::string& path, const ReportObjects& objects) {
  DatasetReader reader(path, DatasetKind::signals);
  const auto dim = static_cast<std::uint64_t>(objects.truth_ND.size(1)), count = static_cast<std::uint64_t>(objects.size());
  check<ShapeError>(reader.dim() == dim, "{}: a row has {} elements and the truth's {}; the reference must be signals of one grid.", path,
                    reader.dim(), dim);
  check<ShapeError>(
      reader.rows() / 3 >= count,
      "{}: has {} rows; the {} objects of the report need at least three times as many as reference. Give more clean signals or lower "
      "--rows.",
      path, reader.rows(), count);
  return reader;
}

}  // namespace

std::vector<ComparisonFile> parse_comparison_files(const std::vector<std::string>& words) {
  std::vector<ComparisonFile> files;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    check<ConfigError>(equals != std::string::npos && equals > 0 && equals + 1 < word.size(),
                       "report --compare '{}': must be NAME=FILE, e.g. --compare 'DPS=dps.h5'.", word);
    ComparisonFile file{word.substr(0, equals), word.substr(equals + 1)};
    check<ConfigError>(file.name.size() <= kLongestName,
                       "report --compare: the name '{}' has {} bytes; at most {} fit into a figure. Shorten it.", file.name,
                       file.name.size(), kLongestName);
    const bool taken = std::ranges::find(method_names::kAll, file.name) != method_names::kAll.end() ||
                       std::ranges::any_of(files, [&](const ComparisonFile& other) { return other.name == file.name; });
    check<ConfigError>(!taken, "report --compare: '{}' already names a row of the report. Choose another name.", file.name);
    files.push_back(std::move(file));
  }
  return files;
}

report::MethodResult read_comparison(const ComparisonFile& file, const ReportObjects& objects) {
  const ObjectFile given(file.path, DatasetKind::signals);
  const auto rows = matched_rows(given, objects.wanted, "Restore the same observations, or lower --rows.");
  const at::Tensor restored_ND = read_restored(given.reader, rows, static_cast<std::uint64_t>(objects.truth_ND.size(1)));
  const std::string origin = given.reader.attribute("origin");
  return {file.name, origin.empty() ? fmt::format("read from {}.", file.path) : fmt::format("{}.", origin), restored_ND, "", false};
}

void check_reference_file(const std::string& path, const ReportObjects& objects) { open_reference(path, objects); }

report::SignalLaw law_of_file(const std::string& path, const ReportObjects& objects) {
  const DatasetReader reader = open_reference(path, objects);
  report::ReferenceSample sample;
  sample.draw = [&](std::int64_t first, std::int64_t count) {
    return read_rows(reader, row_range(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count)));
  };
  const auto all = static_cast<std::int64_t>(reader.rows());
  sample.clean_rows = all / 3 / objects.size() * objects.size();
  sample.reference_rows = all - sample.clean_rows;
  sample.gives_spread = true;
  return {objects.truth_ND, sample};
}

}  // namespace unchannel
