#include "import_support.hpp"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>

namespace unchannel {

void stop_import_if_requested(const std::string& output) {
  if (stop_requested() != 0) throw InterruptedError(output + ": interrupted; nothing was written.", stop_requested());
}

void ImportArguments::add_to(CLI::App& command) {
  command.add_option("--output", output, "HDF5 file to write")->required();
  command.add_option("--as", kind, "what the rows are")->check(CLI::IsMember({"signals", "observations"}))->capture_default_str();
  command.add_option("--scale", scale, "signed: -1 to 1, unit: 0 to 1, none: as stored, auto: signed for 8 and 16 bits, else none")
      ->check(CLI::IsMember({"auto", "signed", "unit", "none"}))
      ->capture_default_str();
  command.add_option("--first", first, "items to pass over: disjoint ranges give disjoint sets")->capture_default_str();
  command.add_option("--count", count, "items to take (default all)")->check(CLI::PositiveNumber);
}

void ImportArguments::apply(const std::string& made_by, ImportOptions& options) const {
  options.kind = kind == "signals" ? DatasetKind::signals : DatasetKind::observations;
  options.scale = parse_value_scale(scale);
  options.first = first;
  if (count > 0) options.count = count;
  options.made_by = made_by;
}

ImportProgress ImportBar::callback() {
  return [this](std::uint64_t done, std::uint64_t total) {
    stop_import_if_requested(output_);
    if (!bar_) bar_ = std::make_unique<Progress>(label_, static_cast<std::int64_t>(total));
    bar_->update(static_cast<std::int64_t>(done));
  };
}

void ImportBar::finish() {
  if (bar_) bar_->finish();
}

void print_import(const ImportReport& report, const std::string& output) {
  constexpr std::size_t kShown = 20;
  const std::size_t shown = std::min(report.skipped.size(), kShown);
  for (std::size_t k = 0; k < shown; ++k) fmt::print("skipped {}: {}\n", report.skipped[k].name, report.skipped[k].reason);
  if (report.skipped_count > shown)
    fmt::print("and {} more; the provenance in the file lists the first {}\n", report.skipped_count - shown, report.skipped.size());
  check<DataError>(report.rows > 0, "{}: not written: nothing could be imported ({} items skipped; --first and --count?).", output,
                   report.skipped_count);
  fmt::print("{} rows [{}] written to {}, {} skipped; {}\n", report.rows, fmt::join(report.row_shape, ", "), output, report.skipped_count,
             report.normalisation);
}

}  // namespace unchannel
