#include "archive.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <vector>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

struct ArchiveCloser {
  void operator()(archive* handle) const { ::archive_read_free(handle); }
};
using Archive = std::unique_ptr<archive, ArchiveCloser>;

constexpr std::size_t kMaxEntries = 100'000;

[[noreturn]] void fail(archive* handle, const std::string& place) {
  const char* text = ::archive_error_string(handle);
  throw DataError(fmt::format("{}: is no readable zip file: {}. Download or write it again.", place, text ? text : "unknown reason"));
}

Archive make_reader(const std::string& place) {
  Archive reader(::archive_read_new());
  check<DataError>(reader != nullptr, "{}: not enough memory to read the archive.", place);
  ::archive_read_support_format_zip(reader.get());  // only zip: no other format is expected, so none is offered to a hostile file
  return reader;
}

std::string read_entry(archive* reader, const std::string& place, const std::string& name, std::uint64_t& budget) {
  std::string bytes;
  std::vector<char> block(std::size_t{64} << 10);
  while (true) {
    const la_ssize_t count = ::archive_read_data(reader, block.data(), block.size());
    if (count < 0) fail(reader, place + ": " + name);
    if (count == 0) return bytes;
    check<DataError>(static_cast<std::uint64_t>(count) <= budget, "{}: {} unpacks to more bytes than are accepted; this is no data file.",
                     place, name);
    budget -= static_cast<std::uint64_t>(count);
    bytes.append(block.data(), static_cast<std::size_t>(count));
  }
}

ArchiveEntries read_all(archive* reader, const std::string& place, const std::function<bool(const std::string&)>& wanted,
                        std::uint64_t budget) {
  ArchiveEntries entries;
  archive_entry* entry = nullptr;
  for (std::size_t k = 0;; ++k) {
    check<DataError>(k < kMaxEntries, "{}: has more than {} entries.", place, kMaxEntries);
    const int status = ::archive_read_next_header(reader, &entry);
    if (status == ARCHIVE_EOF) return entries;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) fail(reader, place);
    const char* name = ::archive_entry_pathname(entry);
    if (name == nullptr || ::archive_entry_filetype(entry) != AE_IFREG || !wanted(name)) continue;
    const std::string key = name;
    entries[key] = read_entry(reader, place, key, budget);
  }
}

}  // namespace

ArchiveEntries read_archive(const std::filesystem::path& path, const std::function<bool(const std::string&)>& wanted,
                            std::uint64_t limit_bytes) {
  std::error_code error;
  check<DataError>(std::filesystem::is_regular_file(path, error), "{}: no such file. Check the path.", path.string());
  const Archive reader = make_reader(path.string());
  if (::archive_read_open_filename(reader.get(), path.c_str(), 64 << 10) != ARCHIVE_OK) fail(reader.get(), path.string());
  return read_all(reader.get(), path.string(), wanted, limit_bytes);
}

ArchiveEntries read_archive_bytes(std::string_view bytes, const std::string& place, const std::function<bool(const std::string&)>& wanted,
                                  std::uint64_t limit_bytes) {
  const Archive reader = make_reader(place);
  if (::archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) fail(reader.get(), place);
  return read_all(reader.get(), place, wanted, limit_bytes);
}

}  // namespace unchannel
