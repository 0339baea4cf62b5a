#include "archive_stream.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <optional>
#include <vector>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::uint64_t kTarBlock = 512;

struct ArchiveCloser {
  void operator()(archive* handle) const { ::archive_read_free(handle); }
};

}  // namespace

struct ArchiveStream::State {
  // The bytes of the current entry.
  class Content : public ByteSource {
   public:
    Content(State& owner, std::string place) : ByteSource(std::move(place)), owner_(owner) {}
    std::size_t read(std::span<char> out) override {
      const la_ssize_t count = ::archive_read_data(owner_.reader.get(), out.data(), out.size());
      if (count < 0) owner_.fail(place());
      return static_cast<std::size_t>(count);
    }

   private:
    State& owner_;
  };

  // libarchive's callback: exceptions must not pass through C, so the message waits in `failure`.
  static la_ssize_t feed(archive*, void* self, const void** buffer) {
    State& s = *static_cast<State*>(self);
    try {
      *buffer = s.block.data();
      return static_cast<la_ssize_t>(s.refill());
    } catch (const DataError& error) {
      s.failure = error.what();
      return ARCHIVE_FATAL;
    }
  }

  // The next block of a tar file.
  std::size_t refill() {
    const std::size_t count = file->read(block);
    const auto last =
        std::find_if(block.rbegin() + static_cast<std::ptrdiff_t>(block.size() - count), block.rend(), [](char c) { return c != 0; });
    const auto zeros = static_cast<std::size_t>(last - block.rbegin()) - (block.size() - count);
    closing_zeros = zeros == count ? closing_zeros + count : zeros;
    return count;
  }

  // libarchive takes a tar file that was cut off between two entries for a complete one; the blocks of zeros that close it tell.
  void check_end() {
    while (refill() > 0) {
    }
    check<DataError>(closing_zeros >= kTarBlock,
                     "{}: is cut off: the empty blocks that end a tar file are missing. Copy or download it again.", place);
  }

  [[noreturn]] void fail(const std::string& where) {
    if (!failure.empty()) throw DataError(failure);
    const char* text = ::archive_error_string(reader.get());
    throw DataError(fmt::format("{}: is no readable tar, tar.gz or zip file ({}). Copy or download it again.", where,
                                text != nullptr ? printable(text) : "unknown reason"));
  }

  std::string place;
  std::string failure;
  std::vector<char> block = std::vector<char>(std::size_t{64} << 10);
  std::optional<FileSource> file;  // tar; a zip file is read by libarchive itself, which needs to seek in it
  std::uint64_t zip_bytes = 0;
  std::uint64_t closing_zeros = 0;  // at the end of what was read of a tar file
  std::unique_ptr<archive, ArchiveCloser> reader;
  std::optional<Content> content;
};

ArchiveStream::ArchiveStream(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.place = path.string();
  const bool zip = is_zip_file(path);
  s.reader.reset(::archive_read_new());
  check<DataError>(s.reader != nullptr, "{}: not enough memory to read the archive.", s.place);
  // Only the formats that are expected are offered to a hostile file. gzip is unpacked by FileSource: libarchive ignores its checksum.
  int status = ARCHIVE_OK;
  if (zip) {
    std::error_code ignored;
    s.zip_bytes = std::filesystem::file_size(path, ignored);
    ::archive_read_support_format_zip(s.reader.get());
    status = ::archive_read_open_filename(s.reader.get(), path.c_str(), 64 << 10);
  } else {
    s.file.emplace(path);
    ::archive_read_support_format_tar(s.reader.get());
    status = ::archive_read_open(s.reader.get(), &s, nullptr, State::feed, nullptr);
  }
  if (status != ARCHIVE_OK) s.fail(s.place);
}

ArchiveStream::~ArchiveStream() = default;

bool ArchiveStream::next(ArchiveEntry& entry) {
  State& s = *state_;
  archive_entry* header = nullptr;
  const int status = ::archive_read_next_header(s.reader.get(), &header);
  if (status == ARCHIVE_EOF) {
    s.content.reset();
    if (s.file) s.check_end();
    return false;
  }
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) s.fail(s.place);
  // The first is missing where a name is no UTF-8, the second where the locale cannot write it.
  const char* name = ::archive_entry_pathname_utf8(header);
  if (name == nullptr) name = ::archive_entry_pathname(header);
  entry.name = printable(name != nullptr ? name : "(nameless)");
  entry.regular = ::archive_entry_filetype(header) == AE_IFREG && ::archive_entry_hardlink(header) == nullptr;
  s.content.emplace(s, s.place + ": " + entry.name);
  return true;
}

ByteSource& ArchiveStream::content() {
  check<DataError>(state_->content.has_value(), "{}: no entry is open.", state_->place);
  return *state_->content;
}

std::uint64_t ArchiveStream::file_bytes() const noexcept { return state_->file ? state_->file->file_bytes() : state_->zip_bytes; }

std::uint64_t ArchiveStream::consumed_bytes() const noexcept {
  if (state_->file) return state_->file->consumed_bytes();
  const la_int64_t count = ::archive_filter_bytes(state_->reader.get(), -1);
  return count < 0 ? 0 : static_cast<std::uint64_t>(count);
}

bool is_zip_file(const std::filesystem::path& path) {
  FileSource file(path);
  char start[4] = {};
  std::size_t count = 0;
  while (count < sizeof(start)) {
    const std::size_t more = file.read({start + count, sizeof(start) - count});
    if (more == 0) break;
    count += more;
  }
  const std::string_view text(start, count);
  return text == std::string_view("PK\x03\x04", 4) || text == std::string_view("PK\x05\x06", 4);
}

std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = '?';
  }
  return text;
}

}  // namespace unchannel
