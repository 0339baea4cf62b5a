// Layout: "UNCHROW1", length of the task (uint64), the task as JSON text; then blocks: number of values, failed rows (uint64 each), SHA-256 of
// those 16 bytes and the values as 64 hexadecimal digits, the values as float32. Numbers as the machine has them: the file is not for others.
#include "partial_rows.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

namespace unchannel {
namespace {

constexpr std::string_view kMagic = "UNCHROW1";
constexpr std::uint64_t kLongestTask = std::uint64_t{1} << 20;
constexpr std::uint64_t kDigestBytes = 64;

struct BlockHead {
  std::uint64_t values = 0, failed = 0;
};

std::string as_bytes(const void* bytes, std::uint64_t count) { return {static_cast<const char*>(bytes), count}; }

/// The first key that the two tasks do not agree in, with both values.
std::string difference(const nlohmann::json& there, const nlohmann::json& now) {
  for (const auto& [key, value] : now.items()) {
    if (!there.contains(key) || there.at(key) != value) return fmt::format("{} is {} there and {} now", key, there.value(key, nlohmann::json()).dump(), value.dump());
  }
  return "they have other keys";
}

}  // namespace

struct PartialRows::Block {
  BlockHead head;
  std::vector<float> values;
  std::uint64_t next = 0;  ///< offset of the block after it
};

PartialRows::PartialRows(const std::filesystem::path& output, const nlohmann::json& task, std::uint64_t row_size, bool resume)
    : path_(path_of(output)), row_size_(row_size) {
  open_and_lock();
  try {
    struct stat facts {};
    ::fstat(descriptor_, &facts);
    end_ = static_cast<std::uint64_t>(facts.st_size);
    // A process that was killed before it had written the task left less than that.
    resume && end_ > kMagic.size() + sizeof(std::uint64_t) ? take_over(task) : begin(task.dump());
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

PartialRows::~PartialRows() { ::close(descriptor_); }

void PartialRows::open_and_lock() {
  for (;;) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    check<DataError>(descriptor_ >= 0, "{}: cannot be written: {}. Check that the folder exists and is writable.", path_.string(), std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor_);
      throw DataError(fmt::format("{}: another process is at work on this output. Wait for it, or name another --output.", path_.string()));
    }
    // Whoever held it may have deleted it between the two calls: then this is a file without a name.
    struct stat held {}, named {};
    if (::fstat(descriptor_, &held) == 0 && ::stat(path_.c_str(), &named) == 0 && held.st_ino == named.st_ino) return;
    ::close(descriptor_);
  }
}

void PartialRows::begin(const std::string& task) {
  check<DataError>(::ftruncate(descriptor_, 0) == 0, "{}: cannot be emptied: {}.", path_.string(), std::strerror(errno));
  end_ = 0;
  const std::uint64_t length = task.size();
  write_at_end(std::string(kMagic) + as_bytes(&length, sizeof length) + task);
  first_block_ = end_;
}

void PartialRows::take_over(const nlohmann::json& task) {
  std::string magic(kMagic.size(), '\0');
  std::uint64_t length = 0;
  read_at(0, magic.data(), magic.size());
  read_at(magic.size(), &length, sizeof length);
  const std::uint64_t begin_of_task = magic.size() + sizeof length;
  check<DataError>(magic == kMagic && length <= kLongestTask, "{}: is not a file of finished rows. Move it away, or name another --output.", path_.string());
  std::string text(std::min(length, end_ - begin_of_task), '\0');
  read_at(begin_of_task, text.data(), text.size());
  const nlohmann::json there = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (there.is_discarded()) return begin(task.dump());  // the process was killed while it wrote it: no block can follow
  check<ConfigError>(there == task,
                     "--resume: {} holds {} rows of another task: {}. Name another --output, or leave --resume out to begin anew.", path_.string(),
                     "finished", difference(there, task));
  first_block_ = begin_of_task + length;
  std::uint64_t offset = first_block_;
  for (Block block; read_block(offset, block); offset = block.next) {
    rows_ += block.head.values / row_size_;
    failed_ += block.head.failed;
  }
  check<DataError>(::ftruncate(descriptor_, static_cast<off_t>(offset)) == 0, "{}: cannot be cut: {}.", path_.string(), std::strerror(errno));
  end_ = offset;
}

bool PartialRows::read_block(std::uint64_t offset, Block& block) const {
  const std::uint64_t head_bytes = sizeof(BlockHead) + kDigestBytes;
  if (offset + head_bytes > end_) return false;
  std::string digest(kDigestBytes, '\0');
  read_at(offset, &block.head, sizeof block.head);
  read_at(offset + sizeof block.head, digest.data(), digest.size());
  const std::uint64_t left = end_ - offset - head_bytes;
  if (block.head.values > left / sizeof(float) || block.head.values % row_size_ != 0) return false;
  block.values.resize(block.head.values);
  read_at(offset + head_bytes, block.values.data(), block.head.values * sizeof(float));
  block.next = offset + head_bytes + block.head.values * sizeof(float);
  return sha256_text(as_bytes(&block.head, sizeof block.head) + as_bytes(block.values.data(), block.head.values * sizeof(float))) == digest;
}

void PartialRows::append(std::span<const float> values, std::uint64_t failed) {
  check<ShapeError>(values.size() % row_size_ == 0, "{}: a block of {} values is no whole number of rows of {}.", path_.string(), values.size(), row_size_);
  const BlockHead head = {values.size(), failed};
  const std::string numbers = as_bytes(&head, sizeof head), content = as_bytes(values.data(), values.size_bytes());
  write_at_end(numbers + sha256_text(numbers + content) + content);
  rows_ += values.size() / row_size_;
  failed_ += failed;
}

void PartialRows::for_each_block(const std::function<void(std::span<const float>)>& use) const {
  std::uint64_t offset = first_block_;
  for (Block block; offset < end_; offset = block.next) {
    check<DataError>(read_block(offset, block), "{}: was changed while it was in use. Call the command again with --resume.", path_.string());
    use(block.values);
  }
}

void PartialRows::sync() const {
  check<DataError>(::fsync(descriptor_) == 0, "{}: could not be written to disk: {}. Free space or choose another folder.", path_.string(), std::strerror(errno));
}

void PartialRows::remove() {
  std::error_code ignored;  // the output is there; a file left over costs space only, and the next --resume finds the output complete
  std::filesystem::remove(path_, ignored);
}

void PartialRows::read_at(std::uint64_t offset, void* bytes, std::uint64_t count) const {
  for (std::uint64_t done = 0; done < count;) {
    const ssize_t got = ::pread(descriptor_, static_cast<char*>(bytes) + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    check<DataError>(got > 0, "{}: could not be read: {}.", path_.string(), got == 0 ? "it ended early" : std::strerror(errno));
    done += static_cast<std::uint64_t>(got);
  }
}

void PartialRows::write_at_end(const std::string& bytes) {
  for (std::uint64_t done = 0; done < bytes.size();) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(end_ + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const std::string reason = std::strerror(errno);
      if (::ftruncate(descriptor_, static_cast<off_t>(end_)) != 0) {
        // Then a block without its end stays behind, which its checksum betrays.
      }
      throw DataError(fmt::format("{}: could not be written: {}. The {} rows before are kept; free space, then continue with --resume.", path_.string(),
                                  reason, rows_));
    }
    done += static_cast<std::uint64_t>(put);
  }
  end_ += bytes.size();
}

}  // namespace unchannel
