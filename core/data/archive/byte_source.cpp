#include "byte_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unchannel/base/error.hpp>

namespace unchannel {

void ByteSource::read_exactly(std::span<char> out, std::string_view what) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t count = read(out.subspan(done));
    check<DataError>(count > 0, "{}: ends in the middle of {}: {} of {} bytes are there. Copy or download it again.", place_, what, done,
                     out.size());
    done += count;
  }
}

void ByteSource::expect_end() {
  char byte = 0;
  check<DataError>(read({&byte, 1}) == 0, "{}: more bytes follow than its header says. Copy or download it again.", place_);
}

std::string ByteSource::read_rest(std::uint64_t limit_bytes) {
  constexpr std::size_t kBlock = std::size_t{1} << 16;
  std::string bytes;
  while (true) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kBlock);
    const std::size_t count = read({bytes.data() + before, kBlock});
    bytes.resize(before + count);
    if (count == 0) return bytes;
    check<DataError>(bytes.size() <= limit_bytes, "{}: holds more than the {} MiB that are accepted.", place_, limit_bytes >> 20);
  }
}

struct FileSource::State {
  gzFile file = nullptr;
  ~State() {
    if (file != nullptr) ::gzclose_r(file);
  }
};

FileSource::FileSource(const std::filesystem::path& path) : ByteSource(path.string()), state_(std::make_unique<State>()) {
  // O_NONBLOCK: opening a pipe must not wait for a writer; it is refused below.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  check<DataError>(descriptor >= 0, "{}: cannot be opened: {}. Check the path.", place(), std::strerror(errno));
  struct stat status {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  if (regular) state_->file = ::gzdopen(descriptor, "rb");
  if (state_->file == nullptr) ::close(descriptor);
  check<DataError>(regular, "{}: is no regular file.", place());
  check<DataError>(state_->file != nullptr, "{}: not enough memory to read it.", place());
  ::gzbuffer(state_->file, 1U << 17);
  file_bytes_ = static_cast<std::uint64_t>(status.st_size);
}

FileSource::~FileSource() = default;

std::uint64_t FileSource::consumed_bytes() const noexcept {
  const z_off_t offset = ::gzoffset(state_->file);
  return offset < 0 ? 0 : static_cast<std::uint64_t>(offset);
}

std::size_t FileSource::read(std::span<char> out) {
  if (out.empty()) return 0;
  const auto wanted = static_cast<unsigned>(std::min<std::size_t>(out.size(), std::size_t{1} << 30));
  const int count = ::gzread(state_->file, out.data(), wanted);
  int status = Z_OK;
  const char* text = ::gzerror(state_->file, &status);
  // A gzip file that ends too early delivers what it has and then reports Z_BUF_ERROR.
  check<DataError>(count > 0 || (count == 0 && status == Z_OK), "{}: is damaged or cut off ({}). Copy or download it again.", place(),
                   status == Z_ERRNO ? std::strerror(errno) : text);
  return static_cast<std::size_t>(count);
}

std::size_t MemorySource::read(std::span<char> out) {
  const std::size_t count = std::min(out.size(), bytes_.size());
  std::memcpy(out.data(), bytes_.data(), count);
  bytes_.remove_prefix(count);
  return count;
}

}  // namespace unchannel
