#include "npy_import.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>

#include "../archive/archive_stream.hpp"
#include "../archive/npy.hpp"

namespace unchannel {
namespace {

constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;

struct Descr {
  std::string_view text;  // without the byte order
  NumberKind kind;
};
constexpr Descr kDescrs[] = {{"b1", NumberKind::uint8}, {"u1", NumberKind::uint8},   {"i1", NumberKind::int8},   {"u2", NumberKind::uint16},
                             {"i2", NumberKind::int16}, {"u4", NumberKind::uint32},  {"i4", NumberKind::int32},  {"u8", NumberKind::uint64},
                             {"i8", NumberKind::int64}, {"f4", NumberKind::float32}, {"f8", NumberKind::float64}};

NumberFormat parse_descr(const std::string& descr, const std::string& place) {
  for (const Descr& known : kDescrs) {
    if (descr.size() == 3 && std::string_view("<>|").find(descr[0]) != std::string_view::npos && descr.substr(1) == known.text) {
      return {known.kind, descr[0] == '>', known.text == "b1"};
    }
  }
  throw DataError(
      fmt::format("{}: has element type '{}'; numbers of 8 to 64 bits and booleans are read (no float16, complex, text). "
                  "Convert it with astype.",
                  place, printable(descr)));
}

ArrayStream read_header(std::unique_ptr<ByteSource> source, std::shared_ptr<void> owner) {
  const std::string& place = source->place();
  std::array<char, 12> preamble{};
  source->read_exactly({preamble.data(), 10}, "its signature");
  const bool longer = preamble[6] == 2 || preamble[6] == 3;
  if (longer) source->read_exactly({preamble.data() + 10, 2}, "its header");
  const std::size_t length = parse_npy_preamble({preamble.data(), longer ? 12U : 10U}, place);
  check<DataError>(length <= kMaxHeaderBytes, "{}: its header would have {} bytes; this is no array of numbers.", place, length);
  std::string text(length, '\0');
  source->read_exactly(text, "its header");
  const NpyHeader header = parse_npy_header(text, place);
  const NumberFormat format = parse_descr(header.descr, place);
  return {{header.shape, header.fortran_order}, format, std::move(source), std::move(owner)};
}

// Hands on the bytes of an archive's current entry.
class EntrySource : public ByteSource {
 public:
  explicit EntrySource(ByteSource& content) : ByteSource(content.place()), content_(content) {}
  std::size_t read(std::span<char> out) override { return content_.read(out); }

 private:
  ByteSource& content_;
};

std::vector<std::string> array_names(const std::filesystem::path& path) {
  constexpr std::size_t kMost = 10'000;
  ArchiveStream archive(path);
  ArchiveEntry entry;
  std::vector<std::string> names;
  while (archive.next(entry)) {
    if (!entry.regular || !entry.name.ends_with(".npy")) continue;
    check<DataError>(names.size() < kMost, "{}: holds more than {} arrays.", path.string(), kMost);
    names.push_back(entry.name.substr(0, entry.name.size() - 4));
  }
  return names;
}

ArrayStream open_npz(const std::filesystem::path& path, std::string name) {
  const std::vector<std::string> names = array_names(path);
  check<DataError>(!names.empty(), "{}: is a zip file without .npy arrays.", path.string());
  if (name.empty()) {
    check<ConfigError>(names.size() == 1, "{}: holds the arrays {}. Say which: --array NAME.", path.string(), fmt::join(names, ", "));
    name = names.front();
  }
  check<DataError>(std::find(names.begin(), names.end(), name) != names.end(), "{}: has no array {}.{} Its arrays: {}.", path.string(),
                   name, did_you_mean(name, names), fmt::join(names, ", "));
  auto archive = std::make_shared<ArchiveStream>(path);
  ArchiveEntry entry;
  while (archive->next(entry)) {
    if (entry.regular && entry.name == name + ".npy") return read_header(std::make_unique<EntrySource>(archive->content()), archive);
  }
  throw DataError(fmt::format("{}: changed while it was read.", path.string()));
}

}  // namespace

ArrayStream open_npy(const std::filesystem::path& path, const std::string& name) {
  if (is_zip_file(path)) return open_npz(path, name);
  check<ConfigError>(name.empty(), "{}: holds one array without a name; --array is for .npz files.", path.string());
  return read_header(std::make_unique<FileSource>(path), nullptr);
}

ImportReport import_npy(const std::filesystem::path& path, const NpyImportOptions& options, const std::filesystem::path& output,
                        const ImportProgress& progress) {
  std::optional<std::vector<double>> labels;
  if (!options.labels.empty()) {
    ArrayStream array = is_zip_file(path) ? open_npy(path, options.labels) : open_npy(options.labels);
    labels = read_labels(array);
  }
  return import_array(open_npy(path, options.array), std::move(labels), options, "npy: array of NumPy", output, progress);
}

}  // namespace unchannel
