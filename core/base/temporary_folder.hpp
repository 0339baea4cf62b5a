#pragma once

#include <filesystem>
#include <string_view>

namespace unchannel {

/// A folder below TMPDIR that only this user can read, removed with its content at the end. Throws DataError when it cannot be made.
class TemporaryFolder {
 public:
  /// `purpose`: one word of the folder's name, which is unchannel-PURPOSE-XXXXXX.
  explicit TemporaryFolder(std::string_view purpose);
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace unchannel
