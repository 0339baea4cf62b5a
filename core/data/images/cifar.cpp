#include "cifar.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>

#include "../archive/archive_stream.hpp"
#include "../import_rows.hpp"

namespace unchannel {
namespace {

constexpr std::size_t kPixels = 3 * 32 * 32, kRecord = 1 + kPixels;
constexpr std::uint64_t kMaxBatchBytes = std::uint64_t{256} << 20;
constexpr unsigned kClasses = 10;

bool wanted(const std::string& name, CifarSplit split) {
  std::string stem = name;
  if (stem.ends_with(".gz")) stem.resize(stem.size() - 3);
  if (!stem.ends_with(".bin") || stem.starts_with("._")) return false;
  return (split != CifarSplit::test && stem.starts_with("data_batch_")) || (split != CifarSplit::train && stem == "test_batch.bin");
}

void check_batch(std::string_view bytes) {
  check<DataError>(!bytes.empty() && bytes.size() % kRecord == 0,
                   "{} bytes are no whole number of CIFAR-10 records of {} bytes (cut off, or another data set)", bytes.size(), kRecord);
  for (std::size_t at = 0; at < bytes.size(); at += kRecord) {
    const auto label = static_cast<unsigned>(static_cast<unsigned char>(bytes[at]));
    check<DataError>(label < kClasses, "record {} has label {}; CIFAR-10 has 0 to 9 (CIFAR-100, or damaged)", at / kRecord, label);
  }
}

class Importer {
 public:
  Importer(const CifarImportOptions& options, const std::filesystem::path& output)
      : options_(options), scale_(make_scale(options.scale, 0, 255)), rows_(output, options.kind, {3, 32, 32}) {
    for (std::size_t level = 0; level < levels_.size(); ++level) levels_[level] = scale_(static_cast<double>(level));
  }

  /// `name`: file name without folder.
  void add(ByteSource& source, const std::string& name) {
    std::string bytes;
    try {
      bytes = source.read_rest(kMaxBatchBytes);
      check_batch(bytes);
    } catch (const DataError& error) {
      return report_.skip(name, error.what());
    }
    std::array<float, kPixels> row;
    for (std::size_t at = 0; at < bytes.size() && !done(); at += kRecord, ++item_) {
      if (!options_.takes(item_)) continue;
      for (std::size_t k = 0; k < kPixels; ++k) row[k] = levels_[static_cast<unsigned char>(bytes[at + 1 + k])];
      rows_.add(row, {static_cast<std::int64_t>(item_),
                      fmt::format("{}#{}", name, at / kRecord),
                      static_cast<double>(static_cast<unsigned char>(bytes[at])),
                      {}});
    }
  }

  bool done() const { return options_.past(item_); }

  ImportReport close(const std::vector<std::filesystem::path>& inputs) {
    if (rows_.rows() == 0) return std::move(report_);
    nlohmann::json settings = {{"made_by", options_.made_by},
                               {"first", options_.first},
                               {"classes", {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}}};
    for (const auto& input : inputs) settings["input"].push_back(input.string());
    if (options_.count) settings["count"] = *options_.count;
    rows_.close("cifar: CIFAR-10, binary version", scale_, std::move(settings), report_);
    return std::move(report_);
  }

 private:
  const CifarImportOptions& options_;
  LinearScale scale_;
  std::array<float, 256> levels_{};
  ImportRows rows_;
  std::uint64_t item_ = 0;
  ImportReport report_;
};

std::vector<std::filesystem::path> find_batches(const std::filesystem::path& folder, CifarSplit split) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (wanted(entry.path().filename().string(), split)) found.push_back(entry.path());
  }
  check<DataError>(!error, "{}: cannot be listed: {}.", folder.string(), error.message());
  check<DataError>(!found.empty(), "{}: holds no data_batch_*.bin or test_batch.bin of the split. The binary version of CIFAR-10 does.",
                   folder.string());
  std::sort(found.begin(), found.end());
  return found;
}

bool is_archive(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".tar.gz") || name.ends_with(".tgz") || name.ends_with(".tar") || name.ends_with(".zip");
}

std::uint64_t size_kib(const std::filesystem::path& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::uint64_t>(bytes) >> 10;
}

}  // namespace

ImportReport import_cifar(const std::vector<std::filesystem::path>& inputs, const CifarImportOptions& options,
                          const std::filesystem::path& output, const ImportProgress& progress) {
  std::vector<std::filesystem::path> files;
  for (const auto& input : inputs) {
    std::error_code error;
    if (std::filesystem::is_directory(input, error)) {
      for (auto& file : find_batches(input, options.split)) files.push_back(std::move(file));
    } else {
      check<DataError>(std::filesystem::exists(input, error), "{}: no such file or folder. Check the path.", input.string());
      files.push_back(input);
    }
  }
  std::uint64_t total = 0, before = 0;
  for (const auto& file : files) total += size_kib(file);
  Importer importer(options, output);
  const auto tell = [&](std::uint64_t consumed_bytes) {
    if (progress) progress(before + (consumed_bytes >> 10), total);
  };
  for (const auto& file : files) {
    if (importer.done()) break;
    if (is_archive(file)) {
      ArchiveStream archive(file);
      ArchiveEntry entry;
      bool any = false;
      while (!importer.done() && archive.next(entry)) {
        const std::string name = std::filesystem::path(entry.name).filename().string();
        if (!entry.regular || !wanted(name, options.split)) continue;
        any = true;
        importer.add(archive.content(), name);
        tell(archive.consumed_bytes());
      }
      check<DataError>(any, "{}: holds no data_batch_*.bin or test_batch.bin of the split. The binary version of CIFAR-10 does.",
                       file.string());
    } else {
      FileSource source(file);
      importer.add(source, file.filename().string());
      tell(source.consumed_bytes());
    }
    before += size_kib(file);
  }
  return importer.close(inputs);
}

}  // namespace unchannel
