#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace unchannel {

/// A file that appears whole or not at all: write to `path()`, then `commit()` syncs it and renames it over the target.
/// The temporary file lies in the target's folder, is private (0600) while it is written and removed if never committed.
class AtomicFile {
 public:
  /// Throws DataError when the folder does not exist or cannot be written, or `target` is a folder itself.
  explicit AtomicFile(std::filesystem::path target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  const std::filesystem::path& path() const noexcept { return temporary_; }

  /// fsync, rename, fsync of the folder. Throws DataError (disk full, permission); the target is then unchanged.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  bool committed_ = false;
};

/// Writes `text` to `path` atomically. Throws DataError.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Reads a whole file of at most `limit_bytes`. Throws DataError when it is missing, unreadable or larger.
std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes = std::size_t{64} << 20);

}  // namespace unchannel
