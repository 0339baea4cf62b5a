#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dataset.hpp"

namespace unchannel {

/// What stored numbers become.
enum class ValueScale {
  automatic,    ///< integers of 8 and 16 bits as signed_unit, other numbers as none
  signed_unit,  ///< the stored range becomes −1 … 1
  unit,         ///< the stored range becomes 0 … 1
  none          ///< as stored
};

/// "auto", "signed", "unit" or "none"; throws ConfigError.
ValueScale parse_value_scale(const std::string& text);

/// x = low + (high − low) (v − stored_low)/(stored_high − stored_low), in double, rounded to float once.
struct LinearScale {
  double stored_low = 0, stored_high = 1, low = 0, high = 1;

  float operator()(double stored) const {
    if (identity()) return static_cast<float>(stored);
    return static_cast<float>(low + (high - low) * ((stored - stored_low) / (stored_high - stored_low)));
  }
  bool identity() const { return stored_low == low && stored_high == high; }
  /// For the attribute "normalisation" of the file.
  std::string text() const;
};

/// The scale from [stored_low, stored_high] to what `scale` asks for; `automatic` counts as signed_unit.
LinearScale make_scale(ValueScale scale, double stored_low, double stored_high);

/// What every import of pictures and arrays can be told.
struct ImportOptions {
  DatasetKind kind = DatasetKind::signals;
  ValueScale scale = ValueScale::automatic;
  std::uint64_t first = 0;             ///< items of the source (broken ones count) that are passed over
  std::optional<std::uint64_t> count;  ///< items to take from there on; without it all
  std::string made_by;                 ///< for the provenance, e.g. "unchannel import cifar"

  bool takes(std::uint64_t item) const { return item >= first && !past(item); }
  bool past(std::uint64_t item) const { return count && item >= first && item - first >= *count; }
};

/// Called now and then with the work done and in total (items, or KiB of an archive); may throw to stop, nothing is written then.
using ImportProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// An item that could not be imported.
struct SkippedItem {
  std::string name, reason;
};

/// What became of an import. When `rows` is 0, no file was written.
struct ImportReport {
  static constexpr std::size_t kListed = 100;  ///< the file's provenance must stay below HDF5's 64 KiB

  std::uint64_t rows = 0;
  std::uint64_t skipped_count = 0;
  std::vector<SkippedItem> skipped;  ///< the first kListed of them
  std::vector<std::uint64_t> row_shape;
  std::string normalisation;

  void skip(const std::string& name, const std::string& reason);
};

}  // namespace unchannel
