#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace unchannel {

/// Bytes that come in order and once: a file, an entry of an archive, memory. Nothing is kept of what was read.
class ByteSource {
 public:
  explicit ByteSource(std::string place) : place_(std::move(place)) {}
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Up to out.size() bytes; 0 only at the end. Throws DataError naming place().
  virtual std::size_t read(std::span<char> out) = 0;
  /// Exactly out.size() bytes; a DataError says in the middle of `what` the source ended.
  void read_exactly(std::span<char> out, std::string_view what);
  /// Throws DataError when bytes are left.
  void expect_end();
  /// Everything that is left; DataError when it is more than `limit_bytes`.
  std::string read_rest(std::uint64_t limit_bytes);

  /// What messages call the source.
  const std::string& place() const noexcept { return place_; }

 private:
  std::string place_;
};

/// A regular file, unpacked on the way when it is a gzip file (zlib checks length and CRC-32 at its end). Throws DataError when there is
/// no such file or it is a folder, a device or a pipe.
class FileSource : public ByteSource {
 public:
  explicit FileSource(const std::filesystem::path& path);
  ~FileSource() override;
  std::size_t read(std::span<char> out) override;
  /// Bytes of the file on the disk, and how many of them were consumed.
  std::uint64_t file_bytes() const noexcept { return file_bytes_; }
  std::uint64_t consumed_bytes() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::uint64_t file_bytes_ = 0;
};

/// Bytes in memory that outlive the source.
class MemorySource : public ByteSource {
 public:
  MemorySource(std::string_view bytes, std::string place) : ByteSource(std::move(place)), bytes_(bytes) {}
  std::size_t read(std::span<char> out) override;

 private:
  std::string_view bytes_;
};

}  // namespace unchannel
