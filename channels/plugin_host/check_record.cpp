#include "check_record.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

bool is_sha256(const std::string& text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// A record decides whether code runs inside the program: only the user may have written it.
bool is_private(const std::filesystem::path& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

std::filesystem::path user_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache) return std::filesystem::path(cache) / "unchannel";
  const char* home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".cache" / "unchannel" : std::filesystem::path();
}

std::filesystem::path check_record_file(const std::string& content_sha256) {
  return user_cache_folder() / "checked" / (content_sha256 + ".json");
}

bool has_passed_check(const std::string& content_sha256, const NeededLibraries& needed) {
  if (!is_sha256(content_sha256) || user_cache_folder().empty()) return false;
  const std::filesystem::path file = check_record_file(content_sha256);
  if (!is_private(file)) return false;
  try {
    const auto record = nlohmann::json::parse(read_file(file, std::size_t{1} << 20), nullptr, false);
    const std::map<std::string, std::string> found(needed.begin(), needed.end());
    return record.is_object() && record.value("sha256", "") == content_sha256 && record.value("passed", false) &&
           record.value("needed", std::map<std::string, std::string>()) == found;
  } catch (const DataError&) {
    return false;
  } catch (const nlohmann::json::exception&) {  // "passed": "yes"
    return false;
  }
}

}  // namespace unchannel
