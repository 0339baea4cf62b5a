#include "temporary_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "error.hpp"

namespace unchannel {

TemporaryFolder::TemporaryFolder(std::string_view purpose) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  check<DataError>(!error, "TMPDIR: names no folder for temporary files: {}. Set it to a writable folder.", error.message());
  std::string pattern = (parent / fmt::format("unchannel-{}-XXXXXX", purpose)).string();
  const char* made = mkdtemp(pattern.data());
  check<DataError>(made != nullptr, "{}: cannot make a temporary folder: {}. Set TMPDIR to a writable folder.", pattern, std::strerror(errno));
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace unchannel
