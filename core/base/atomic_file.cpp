#include "atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>
#include <vector>

#include "error.hpp"

namespace unchannel {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

void sync_path(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  check<DataError>(descriptor >= 0, "{}: cannot be opened to sync it: {}.", path.string(), std::strerror(errno));
  const int status = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some file systems refuse fsync on folders; that is no loss of data.
  check<DataError>(status == 0 || error == EINVAL, "{}: could not be written to disk: {}. Free space or choose another folder.",
                   path.string(), std::strerror(error));
}

mode_t current_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  std::string pattern = (folder_of(target_) / ("." + target_.filename().string() + ".XXXXXX.part")).string();
  std::vector<char> name(pattern.begin(), pattern.end());
  name.push_back('\0');
  const int descriptor = ::mkostemps(name.data(), 5, O_CLOEXEC);
  check<DataError>(descriptor >= 0, "{}: cannot be written: {}. Check that the folder exists and is writable.", target_.string(),
                   std::strerror(errno));
  ::close(descriptor);
  temporary_ = name.data();
}

AtomicFile::~AtomicFile() {
  std::error_code ignored;  // a destructor has nobody to tell
  if (!committed_) std::filesystem::remove(temporary_, ignored);
}

void AtomicFile::commit() {
  sync_path(temporary_);
  ::chmod(temporary_.c_str(), 0666 & ~current_umask());
  check<DataError>(::rename(temporary_.c_str(), target_.c_str()) == 0, "{}: could not be replaced: {}.", target_.string(),
                   std::strerror(errno));
  committed_ = true;
  sync_path(folder_of(target_));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  {
    std::ofstream out(file.path(), std::ios::binary | std::ios::trunc);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    out.flush();
    check<DataError>(out.good(), "{}: could not be written: {}. Free space or choose another folder.", path.string(),
                     std::strerror(errno));
  }
  file.commit();
}

std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  std::ifstream in(path, std::ios::binary);
  check<DataError>(in.good(), "{}: cannot be opened: {}.", path.string(), std::strerror(errno));
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  check<DataError>(!error, "{}: is not a regular file.", path.string());
  check<DataError>(size <= limit_bytes, "{}: has {} bytes; at most {} are read.", path.string(), size, limit_bytes);
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  check<DataError>(in.gcount() == static_cast<std::streamsize>(size), "{}: could not be read whole.", path.string());
  return text;
}

}  // namespace unchannel
