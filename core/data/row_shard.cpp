#include "row_shard.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include <fmt/ranges.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>

#include "dataset_columns.hpp"

namespace unchannel {
namespace {

constexpr std::size_t kMostNamed = 20;
constexpr std::uint64_t kBlockBytes = std::uint64_t{4} << 20;

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// A file of one shard: what its attribute "shard" says, and how the file was made.
struct ShardFile {
  std::filesystem::path path;
  RowShard shard;
  std::string task, origin;
};

ShardFile read_shard(const std::filesystem::path& path) {
  const DatasetReader reader(path, DatasetKind::signals);
  const nlohmann::json text = nlohmann::json::parse(reader.attribute("shard"), nullptr, /*allow_exceptions=*/false);
  ShardFile file = {.path = path, .shard = {}, .task = {}, .origin = reader.attribute("origin")};
  try {
    file.shard = {text.at("part"), text.at("parts"), text.at("begin"), text.at("end"), text.at("rows")};
    file.task = text.at("task");
  } catch (const nlohmann::json::exception&) {
    throw DataError(fmt::format("{}: is no shard: it was not written by `unchannel restore --shard i/n`. Join files of that command only.", path.string()));
  }
  const RowShard& shard = file.shard;
  check<DataError>(shard.part >= 1 && shard.part <= shard.parts && shard.begin <= shard.end && shard.end <= shard.rows &&
                       shard.end - shard.begin == reader.rows(),
                   "{}: says that it is shard {}/{} with rows {} to {} of {}, but it has {} rows. Restore that shard again.", path.string(), shard.part,
                   shard.parts, shard.begin, shard.end, shard.rows, reader.rows());
  return file;
}

void check_same_task(const ShardFile& first, const ShardFile& file) {
  check<DataError>(file.shard.parts == first.shard.parts && file.shard.rows == first.shard.rows,
                   "{}: is shard {}/{} of {} rows, but {} is one of {} parts of {} rows. Join shards of one n and one input.", file.path.string(), file.shard.part,
                   file.shard.parts, file.shard.rows, first.path.string(), first.shard.parts, first.shard.rows);
  check<DataError>(file.origin == first.origin, "{}: \"{}\" is another result than {}: \"{}\". Join shards of one command.", file.path.string(), file.origin,
                   first.path.string(), first.origin);
  check<DataError>(file.task == first.task,
                   "{}: was restored with another checkpoint, input, channel, key or number of samples than {}. Restore both with the same ones.",
                   file.path.string(), first.path.string());
}

/// In the order of their parts; each is there once.
std::vector<ShardFile> in_order(const std::vector<std::filesystem::path>& paths) {
  std::map<std::uint64_t, ShardFile> parts;
  std::optional<ShardFile> first;
  for (const std::filesystem::path& path : paths) {
    ShardFile file = read_shard(path);
    if (!first) first = file;
    check_same_task(*first, file);
    const auto [there, added] = parts.emplace(file.shard.part, file);
    check<DataError>(added, "{}: is shard {}/{}, as is {}. Name each shard once.", path.string(), file.shard.part, file.shard.parts, there->second.path.string());
  }
  check<ConfigError>(first.has_value(), "join: no shards were named.");
  std::vector<std::string> missing;
  for (std::uint64_t part = 1; part <= first->shard.parts && missing.size() <= kMostNamed; ++part) {
    if (!parts.contains(part)) missing.push_back(missing.size() < kMostNamed ? fmt::format("{}/{}", part, first->shard.parts) : "…");
  }
  check<DataError>(missing.empty(), "join: of {} shards {} are named; missing: {}. Restore them with --shard, or name their files, too.", first->shard.parts,
                   parts.size(), fmt::join(missing, ", "));
  std::vector<ShardFile> ordered;
  std::uint64_t next = 0;
  for (auto& [part, file] : parts) {
    check<DataError>(file.shard.begin == next, "{}: begins at row {}, but the shards before it end at {}. Restore it again.", file.path.string(),
                     file.shard.begin, next);
    next = file.shard.end;
    ordered.push_back(std::move(file));
  }
  check<DataError>(next == first->shard.rows, "join: the shards end at row {} of {}. Restore the last one again.", next, first->shard.rows);
  return ordered;
}

/// Signals, with the inverse variances of a summary of draws.
void copy_rows(const DatasetReader& source, DatasetWriter& target) {
  const std::uint64_t block = std::max<std::uint64_t>(1, kBlockBytes / (source.dim() * sizeof(float)));
  std::vector<float> values;
  for (std::uint64_t first = 0; first < source.rows(); first += block) {
    if (const int signal = stop_requested(); signal != 0) {
      throw InterruptedError(fmt::format("stopped by signal {}; nothing was written, the shards are unchanged.", signal), signal);
    }
    const std::uint64_t count = std::min(block, source.rows() - first);
    values.resize(count * source.dim());
    source.read_rows(first, count, values);
    target.append(values);
    if (!source.has_ivar()) continue;
    source.read_ivar(first, count, values);
    target.append_ivar(values);
  }
}

}  // namespace

RowShard RowShard::parse(const std::string& text, std::uint64_t rows, std::uint64_t block) {
  RowShard shard = {.part = 1, .parts = 1, .begin = 0, .end = rows, .rows = rows};
  if (text.empty()) return shard;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view words = text;
  const auto part = whole_number(words.substr(0, slash)), parts = whole_number(words.substr(std::min(slash + 1, text.size())));
  check<ConfigError>(part && parts && *part >= 1 && *part <= *parts, "--shard {}: must be i/n with 1 ≤ i ≤ n, e.g. 2/8.", text);
  check<ConfigError>(*parts <= rows, "--shard {}: {} parts of {} rows would leave parts without any. Use {} parts at most.", text, *parts, rows, rows);
  shard.part = *part;
  shard.parts = *parts;
  const std::uint64_t blocks = (rows + block - 1) / block;
  const std::uint64_t units = shard.parts <= blocks ? blocks : rows, unit = shard.parts <= blocks ? block : 1;
  // (part · units) / parts without overflow: parts ≤ units.
  const auto bound = [&](std::uint64_t before) {
    return std::min(rows, unit * (before * (units / shard.parts) + before * (units % shard.parts) / shard.parts));
  };
  shard.begin = bound(shard.part - 1);
  shard.end = bound(shard.part);
  return shard;
}

std::string RowShard::describe(const std::string& task) const {
  return nlohmann::json({{"part", part}, {"parts", parts}, {"begin", begin}, {"end", end}, {"rows", rows}, {"task", task}}).dump();
}

void join_shards(const std::vector<std::filesystem::path>& files, const std::filesystem::path& output) {
  const std::vector<ShardFile> shards = in_order(files);
  const DatasetReader first(shards.front().path, DatasetKind::signals);
  DatasetWriter writer(output, DatasetKind::signals, first.row_shape());
  if (first.wavelength()) writer.set_wavelength(*first.wavelength());
  for (const auto& [name, text] : first.attributes()) {
    if (name != "shard" && name != "failed_count") writer.set_attribute(name, text);
  }
  std::uint64_t failed = 0;
  for (const ShardFile& file : shards) {
    const DatasetReader reader(file.path, DatasetKind::signals);
    check<ShapeError>(reader.row_shape() == first.row_shape(), "{}: rows are [{}], those of {} are [{}].", file.path.string(),
                      fmt::join(reader.row_shape(), ", "), shards.front().path.string(), fmt::join(first.row_shape(), ", "));
    copy_rows(reader, writer);
    copy_columns(reader, 0, reader.rows(), writer);
    failed += whole_number(reader.attribute("failed_count")).value_or(0);
  }
  if (failed > 0) writer.set_attribute("failed_count", std::to_string(failed));
  writer.close();
}

}  // namespace unchannel
