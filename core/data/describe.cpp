#include "describe.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "dataset.hpp"

namespace unchannel {
namespace {

// Running range, mean and standard deviation (Welford).
struct Summary {
  double minimum = std::numeric_limits<double>::infinity(), maximum = -std::numeric_limits<double>::infinity();
  double mean = 0, squares = 0;
  std::uint64_t count = 0;

  void add(double value) {
    minimum = std::min(minimum, value);
    maximum = std::max(maximum, value);
    ++count;
    const double shift = value - mean;
    mean += shift / static_cast<double>(count);
    squares += shift * (value - mean);
  }
  std::string text() const {
    if (count == 0) return "no values";
    return fmt::format("{:.6g} … {:.6g}, mean {:.6g}, standard deviation {:.6g}", minimum, maximum, mean,
                       std::sqrt(squares / static_cast<double>(count)));
  }
};

template <class T, class Read, class Use>
void for_each_block(const DatasetReader& reader, Read&& read, Use&& use) {
  const std::uint64_t step = std::max<std::uint64_t>(1, (std::uint64_t{4} << 20) / (reader.dim() * sizeof(T)));
  std::vector<T> block;
  for (std::uint64_t first = 0; first < reader.rows(); first += step) {
    const std::uint64_t count = std::min(step, reader.rows() - first);
    block.resize(count * reader.dim());
    read(first, count, block);
    for (const T value : block) use(value);
  }
}

std::string describe_values(const DatasetReader& reader) {
  Summary values;
  for_each_block<float>(
      reader, [&](auto first, auto count, auto& out) { reader.read_rows(first, count, out); },
      [&](float value) { values.add(static_cast<double>(value)); });
  std::string text = fmt::format("values                {}\n", values.text());
  if (reader.has_ivar()) {
    Summary ivar;
    for_each_block<float>(
        reader, [&](auto first, auto count, auto& out) { reader.read_ivar(first, count, out); },
        [&](float value) { ivar.add(static_cast<double>(value)); });
    text += fmt::format("ivar                  {}\n", ivar.text());
  }
  if (reader.has_mask()) {
    std::uint64_t bad = 0;
    for_each_block<std::uint8_t>(
        reader, [&](auto first, auto count, auto& out) { reader.read_mask(first, count, out); }, [&](std::uint8_t value) { bad += value; });
    text += fmt::format("mask                  {:.3g} % of the elements are bad or missing\n",
                        100.0 * static_cast<double>(bad) / static_cast<double>(reader.rows() * reader.dim()));
  }
  return text;
}

std::string describe_columns(const DatasetReader& reader) {
  std::string text;
  for (const std::string& name : reader.numeric_columns()) {
    Summary values;
    const std::vector<double> column = *reader.numeric_column(name);
    for (const double value : column) {
      if (!std::isnan(value)) values.add(value);
    }
    const std::string unknown = values.count == column.size() ? "" : fmt::format("; {} unknown", column.size() - values.count);
    text += name == "object_id" ? fmt::format("{:<22}{:.0f} … {:.0f}\n", name, values.minimum, values.maximum)
                                : fmt::format("{:<22}{}{}\n", name, values.text(), unknown);
  }
  for (const std::string& name : reader.text_columns()) {
    const auto values = *reader.text_column(name);
    const std::set<std::string> distinct(values.begin(), values.end());
    text += fmt::format("{:<22}{} distinct, e.g. \"{}\"\n", name, distinct.size(), values.front());
  }
  return text;
}

// One line a setting; lists by their length, since a survey may have skipped thousands of files.
std::string describe_provenance(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return fmt::format("{:<22}{}\n", "provenance", text);
  std::string lines;
  for (const auto& [key, value] : json.items()) {
    lines += fmt::format("{:<22}{} = {}\n", "provenance", key, value.is_array() ? fmt::format("{} entries", value.size()) : value.dump());
  }
  return lines;
}

}  // namespace

std::string describe_data_file(const std::filesystem::path& path) {
  const DatasetReader reader(path);
  std::string text = fmt::format("{}\n{:<22}[{}, {}] float32\n", path.string(), to_string(reader.kind()), reader.rows(),
                                 fmt::join(reader.row_shape(), ", "));
  const auto attributes = reader.attributes();
  const auto attribute = [&](const std::string& name) {
    const auto found = attributes.find(name);
    return found == attributes.end() ? std::string("not stated") : found->second;
  };
  text += fmt::format("origin                {}\nnormalisation         {}\n", attribute("origin"), attribute("normalisation"));
  if (const auto& axis = reader.wavelength()) {
    text += fmt::format("wavelength            {:.6g} … {:.6g} angstrom, {}, {} frame\n", axis->angstrom.front(), axis->angstrom.back(),
                        axis->medium, axis->frame);
  }
  text += describe_values(reader);
  text += describe_columns(reader);
  for (const LatentInfo& latent : reader.latents()) {
    text += fmt::format("latent                {} {} [{}{}{}]\n", latent.name, to_string(latent.type), reader.rows(),
                        latent.row_shape.empty() ? "" : ", ", fmt::join(latent.row_shape, ", "));
  }
  for (const auto& [name, value] : attributes) {
    if (name == "origin" || name == "normalisation") continue;
    text += name == "provenance" ? describe_provenance(value) : fmt::format("{:<22}{}\n", name, value);
  }
  return text;
}

}  // namespace unchannel
