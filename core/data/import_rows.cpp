#include "import_rows.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

namespace unchannel {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxClasses = 100'000;
constexpr std::size_t kColumnBlock = 65536;

}  // namespace

ImportRows::ImportRows(const std::filesystem::path& output, DatasetKind kind, std::vector<std::uint64_t> row_shape)
    : row_shape_(std::move(row_shape)), writer_(output, kind, row_shape_) {}

void ImportRows::add(std::span<const float> row, Item item) {
  block_.insert(block_.end(), row.begin(), row.end());
  const auto [found, added] = classes_.emplace(item.class_name, static_cast<std::uint32_t>(classes_.size()));
  check<DataError>(classes_.size() <= kMaxClasses, "more than {} folders with pictures: these are no classes.", kMaxClasses);
  class_of_row_.push_back(found->second);
  items_.push_back(std::move(item));
  ++rows_;
  if (block_.size() * sizeof(float) >= kBlockBytes) flush();
}

void ImportRows::flush() {
  if (items_.empty()) return;
  writer_.append(block_);
  std::vector<std::int64_t> ids;
  std::vector<std::string> names;
  std::vector<double> labels;
  for (Item& item : items_) {
    ids.push_back(item.id);
    if (item.name) names.push_back(std::move(*item.name));
    if (item.label) labels.push_back(*item.label);
  }
  writer_.append_object_ids(ids);
  if (!names.empty()) writer_.append_object_names(names);
  if (!labels.empty()) writer_.append_column("label", labels);
  block_.clear();
  items_.clear();
}

void ImportRows::append_classes() {
  if (classes_.empty() || (classes_.size() == 1 && classes_.begin()->first.empty())) return;
  std::vector<double> number(classes_.size());  // by place of appearance; the map is sorted by name
  std::vector<const std::string*> name(classes_.size());
  double next = 0;
  for (const auto& [text, place] : classes_) {
    number[place] = next++;
    name[place] = &text;
  }
  for (std::size_t first = 0; first < class_of_row_.size(); first += kColumnBlock) {
    std::vector<double> labels;
    std::vector<std::string> names;
    for (std::size_t row = first; row < std::min(first + kColumnBlock, class_of_row_.size()); ++row) {
      labels.push_back(number[class_of_row_[row]]);
      names.push_back(*name[class_of_row_[row]]);
    }
    writer_.append_column("label", labels);
    writer_.append_column("class", names);
  }
}

void ImportRows::close(const std::string& origin, const LinearScale& scale, nlohmann::json settings, ImportReport& report) {
  flush();
  append_classes();
  writer_.set_attribute("origin", origin);
  writer_.set_attribute("normalisation", scale.text());
  settings["skipped_count"] = report.skipped_count;
  settings["skipped"] = nlohmann::json::array();
  for (const SkippedItem& item : report.skipped) settings["skipped"].push_back({{"name", item.name}, {"reason", item.reason}});
  // `replace`: names of files need not be UTF-8.
  writer_.set_attribute("provenance", json_text(settings));
  writer_.close();
  report.rows = rows_;
  report.row_shape = row_shape_;
  report.normalisation = scale.text();
}

}  // namespace unchannel
