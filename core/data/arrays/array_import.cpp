#include "array_import.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>

#include "../import_rows.hpp"

namespace unchannel {
namespace {

constexpr std::uint64_t kMaxArrayBytes = std::uint64_t{2} << 30;
constexpr std::uint64_t kMaxLabels = std::uint64_t{1} << 28;
constexpr std::uint64_t kProgressRows = 256;

LinearScale choose_scale(const ArrayStream& array, const ArrayImportOptions& options) {
  const bool small_integer = array.format.is_integer() && array.format.size() <= 2;
  if (options.range) {
    check<ConfigError>(
        std::isfinite(options.range->first) && std::isfinite(options.range->second) && options.range->first < options.range->second,
        "--range {} {}: two finite numbers, the smaller one first.", options.range->first, options.range->second);
    return make_scale(options.scale, options.range->first, options.range->second);
  }
  if (options.scale == ValueScale::none || (options.scale == ValueScale::automatic && !small_integer)) {
    return make_scale(ValueScale::none, 0, 1);
  }
  check<ConfigError>(small_integer, "{}: holds {} numbers, which have no range of their own to scale from. Give it: --range LOW HIGH.",
                     array.numbers->place(), to_string(array.format.kind));
  return make_scale(options.scale, array.format.lowest(), array.format.highest());
}

// Delivers rows in order, from the stream or from the array in memory. Memory for what the header announces is taken only when the bytes
// of a whole row, or of the array, have come.
class RowReader {
 public:
  RowReader(ArrayStream& array, RowPlan plan) : array_(array), plan_(std::move(plan)), size_(array.format.size()) {
    check<DataError>(
        plan_.contiguous || array.shape.elements() <= kMaxArrayBytes / size_,
        "{}: its rows do not lie one after the other, and {} numbers are too many to be sorted in memory (2 GiB). Save it with "
        "the rows first (NumPy) or last (MATLAB).",
        array.numbers->place(), array.shape.elements());
  }

  /// Row `row` in the order of the plan's row shape; 0, 1, 2, … one after the other.
  const std::vector<double>& read(std::uint64_t row) {
    if (plan_.contiguous) {
      bytes_.resize(plan_.row_elements * size_);
      array_.numbers->read_exactly(bytes_, fmt::format("row {} of {}", row, plan_.rows));
    } else if (row == 0) {
      read_whole();
    }
    if (offsets_.empty()) offsets_ = plan_.offsets();
    row_.resize(offsets_.size());
    if (plan_.contiguous) {
      stored_.resize(offsets_.size());
      widen(array_.format, bytes_, stored_);
      for (std::size_t k = 0; k < row_.size(); ++k) row_[k] = stored_[offsets_[k]];
    } else {
      for (std::size_t k = 0; k < row_.size(); ++k) {
        const std::uint64_t at = row * plan_.row_stride + offsets_[k];
        widen(array_.format, {whole_.data() + at * size_, size_}, {&row_[k], 1});
      }
    }
    return row_;
  }

  /// After the last row.
  void expect_end() {
    if (plan_.contiguous) array_.numbers->expect_end();
  }

 private:
  void read_whole() {
    const std::uint64_t expected = array_.shape.elements() * size_;
    whole_ = array_.numbers->read_rest(kMaxArrayBytes);
    check<DataError>(whole_.size() == expected, "{}: its header announces {} bytes of numbers, but {} follow.", array_.numbers->place(),
                     expected, whole_.size());
  }

  ArrayStream& array_;
  RowPlan plan_;
  std::size_t size_;
  std::vector<std::uint64_t> offsets_;
  std::vector<double> row_, stored_;
  std::vector<char> bytes_;
  std::string whole_;
};

nlohmann::json provenance(const ArrayStream& array, const ArrayImportOptions& options, const std::string& layout) {
  nlohmann::json settings = {{"made_by", options.made_by},
                             {"input", array.numbers->place()},
                             {"array", fmt::format("{} {}", to_string(array.format.kind), shape_text(array.shape.extents))},
                             {"layout", layout},
                             {"first", options.first}};
  if (options.count) settings["count"] = *options.count;
  return settings;
}

std::string default_layout(const ArrayShape& shape, const std::string& place) {
  const std::vector<std::uint64_t>& n = shape.extents;
  const auto planes = [](std::uint64_t extent) { return extent == 1 || extent == 3 || extent == 4; };
  check<ConfigError>(n.size() >= 2, "{}: its array {} has no axis beside the rows. Rows of one number: --reshape {},1.", place,
                     shape_text(n), n.empty() ? 1 : n[0]);
  check<ConfigError>(n.size() != 4 || !planes(n[3]) || planes(n[1]),
                     "{}: its array {} looks like pictures with the planes last. Say which: --layout NHWC, or NDDD to keep it so.", place,
                     shape_text(n));
  return "N" + std::string(n.size() - 1, 'D');
}

}  // namespace

std::vector<double> read_labels(ArrayStream& labels) {
  const std::vector<std::uint64_t>& n = labels.shape.extents;
  const std::string& place = labels.numbers->place();
  const bool line = n.size() == 1 || (n.size() == 2 && (n[0] == 1 || n[1] == 1));
  check<DataError>(line && labels.shape.elements() <= kMaxLabels, "{}: labels are one number a row, but its array is {}.", place,
                   shape_text(n));
  const std::string bytes = labels.numbers->read_rest(kMaxLabels * labels.format.size());
  check<DataError>(bytes.size() == labels.shape.elements() * labels.format.size(),
                   "{}: its header announces {} bytes of numbers, but {} follow.", place, labels.shape.elements() * labels.format.size(),
                   bytes.size());
  std::vector<double> values(labels.shape.elements());
  widen(labels.format, bytes, values);
  for (std::size_t k = 0; k < values.size(); ++k) check<DataError>(std::isfinite(values[k]), "{}: label {} is {}.", place, k, values[k]);
  return values;
}

ImportReport import_array(ArrayStream array, std::optional<std::vector<double>> labels, const ArrayImportOptions& options,
                          const std::string& origin, const std::filesystem::path& output, const ImportProgress& progress) {
  const std::string place = array.numbers->place();
  if (!options.reshape.empty()) array.shape = reshaped(array.shape, options.reshape, place);
  const std::string layout = options.layout.empty() ? default_layout(array.shape, place) : options.layout;
  const RowPlan plan = plan_rows(array.shape, layout, place);
  const LinearScale scale = choose_scale(array, options);
  check<DataError>(!labels || labels->size() == plan.rows, "{}: holds {} rows, but there are {} labels.", place, plan.rows,
                   labels ? labels->size() : 0);
  check<ConfigError>(options.takes(options.first) && options.first < plan.rows,
                     "{}: holds {} rows, none of which --first {} and --count take.", place, plan.rows, options.first);
  ImportRows rows(output, options.kind, plan.row_shape);
  RowReader reader(array, plan);
  std::vector<float> scaled;
  for (std::uint64_t row = 0; row < plan.rows && !options.past(row); ++row) {
    const std::vector<double>& stored = reader.read(row);
    if (options.takes(row)) {
      scaled.resize(stored.size());
      for (std::size_t k = 0; k < scaled.size(); ++k) {
        scaled[k] = scale(stored[k]);
        check<DataError>(std::isfinite(scaled[k]), "{}: row {}, element {} of [{}] is {}, which is no finite float. Replace it before.",
                         place, row, k, plan.row_elements, stored[k]);
      }
      rows.add(scaled, {static_cast<std::int64_t>(row), std::nullopt, labels ? std::optional((*labels)[row]) : std::nullopt, {}});
    }
    if (progress && (row % kProgressRows == 0 || row + 1 == plan.rows)) progress(row + 1, plan.rows);
    if (row + 1 == plan.rows) reader.expect_end();
  }
  ImportReport report;
  rows.close(origin, scale, provenance(array, options, layout), report);
  return report;
}

}  // namespace unchannel
