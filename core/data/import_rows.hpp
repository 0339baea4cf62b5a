#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dataset.hpp"
#include "import_options.hpp"

namespace unchannel {

/// Collects rows of an import and writes them in blocks of about 4 MiB. Columns beside the rows: object_id (the item's place in the
/// source), and object_name and `label` (number) where every row has them, `class` (text) where any row has one.
class ImportRows {
 public:
  ImportRows(const std::filesystem::path& output, DatasetKind kind, std::vector<std::uint64_t> row_shape);

  struct Item {
    std::int64_t id = 0;
    std::optional<std::string> name;
    std::optional<double> label;
    std::string class_name;  ///< empty: none; the columns `class` and `label` (place among the sorted names) follow at close()
  };
  /// `row`: as many values as a row has.
  void add(std::span<const float> row, Item item);

  std::uint64_t rows() const noexcept { return rows_; }
  const std::vector<std::uint64_t>& row_shape() const noexcept { return row_shape_; }

  /// Writes what is left and the attributes origin, normalisation and provenance (`settings` plus the skipped items), then moves the
  /// file into place. `report` gets rows, row_shape and normalisation.
  void close(const std::string& origin, const LinearScale& scale, nlohmann::json settings, ImportReport& report);

 private:
  void flush();
  void append_classes();

  std::vector<std::uint64_t> row_shape_;
  DatasetWriter writer_;
  std::uint64_t rows_ = 0;
  std::vector<float> block_;
  std::vector<Item> items_;
  std::map<std::string, std::uint32_t> classes_;  // name to place of appearance
  std::vector<std::uint32_t> class_of_row_;       // 4 bytes a row: which classes there are is known at the end only
};

}  // namespace unchannel
