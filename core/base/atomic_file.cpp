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

void sync_content(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  check<DataError>(descriptor >= 0, "{}: cannot be opened to sync it: {}.", path.string(), std::strerror(errno));
  const int status = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  check<DataError>(status == 0, "{}: could not be written to disk: {}. Free space or choose another folder.", path.string(),
                   std::strerror(error));
}

// The new name is already in place; some file systems refuse to open or sync a folder, and that must not look like a failed write.
void sync_folder(const std::filesystem::path& path) noexcept {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

// Linux tells the mask in /proc; the umask() call can only read it by changing it, which other threads would notice.
mode_t current_umask() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "Umask:" && status >> word) return static_cast<mode_t>(std::stoul(word, nullptr, 8));
  }
  return 022;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  std::error_code ignored;  // what cannot be looked at is met again when the file is made
  check<DataError>(!std::filesystem::is_directory(target_, ignored), "{}: is a folder. Name a file to write.", target_.string());
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
  sync_content(temporary_);
  ::chmod(temporary_.c_str(), 0666 & ~current_umask());
  const int status = ::rename(temporary_.c_str(), target_.c_str());
  check<DataError>(status == 0, "{}: could not be replaced: {}.", target_.string(), std::strerror(errno));
  committed_ = true;
  sync_folder(folder_of(target_));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  {
    std::ofstream out(file.path(), std::ios::binary | std::ios::trunc);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    out.flush();
    check<DataError>(out.good(), "{}: could not be written: {}. Free space or choose another folder.", path.string(), std::strerror(errno));
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
