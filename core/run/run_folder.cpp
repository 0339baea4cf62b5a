#include "run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

namespace unchannel {
namespace fs = std::filesystem;

namespace {

int lock_folder(const fs::path& path) {
  const fs::path file = path / ".lock";
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  check<DataError>(descriptor >= 0, "{}: cannot be written: {}. Choose another folder with --run.", path.string(), std::strerror(errno));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    throw DataError(fmt::format("{}: another process is writing this run. Wait for it or choose another folder with --run.", path.string()));
  }
  return descriptor;
}

}  // namespace

RunFolder RunFolder::create(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path / "checkpoints", error);
  check<DataError>(!error, "{}: cannot be created: {}. Choose another folder with --run.", path.string(), error.message());
  RunFolder folder(path, lock_folder(path));
  // A start that failed left a configuration, but nothing that could be continued or would be lost.
  check<ConfigError>(!fs::exists(folder.checkpoint_path()),
                     "{}: already holds a run. Continue it with --resume, or choose another folder with --run.", path.string());
  return folder;
}

RunFolder RunFolder::resume(const fs::path& path) {
  check<ConfigError>(fs::exists(config_path(path)), "{}: holds no run that could be resumed. Start one without --resume.", path.string());
  return RunFolder(path, lock_folder(path));
}

RunFolder::RunFolder(RunFolder&& other) noexcept : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::write_config(const std::string& toml) const { write_file_atomically(config_path(path_), toml); }

void RunFolder::write_provenance(const nlohmann::json& facts) const {
  nlohmann::json content = facts;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  content["started_unix_s"] = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  write_file_atomically(path_ / "provenance.json", json_text(content, 2) + "\n");
}

void RunFolder::append_metrics(const nlohmann::json& line) const {
  const fs::path file = path_ / "metrics.jsonl";
  std::ofstream out(file, std::ios::app);
  out << json_text(line) << '\n';
  out.flush();
  check<DataError>(out.good(), "{}: could not be written: {}. Free space and continue with --resume.", file.string(), std::strerror(errno));
}

void RunFolder::cut_metrics(std::int64_t step) const {
  const fs::path file = path_ / "metrics.jsonl";
  if (!fs::exists(file)) return;
  std::ifstream in(file);
  std::string kept, line;
  while (std::getline(in, line)) {
    // A line half written by a crash does not parse; it is later than the checkpoint in any case.
    const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_object() && parsed.value("step", std::int64_t{0}) <= step) kept += line + '\n';
  }
  write_file_atomically(file, kept);
}

bool RunFolder::holds_line(std::int64_t step, bool (*wanted)(const nlohmann::json&)) const {
  std::ifstream in(path_ / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_object() && parsed.contains("step") && parsed["step"] == step && wanted(parsed)) return true;
  }
  return false;
}

bool RunFolder::holds_test_figures(std::int64_t step) const {
  return holds_line(step, [](const nlohmann::json& line) { return line.contains("split") && line["split"] == "test"; });
}

bool RunFolder::holds_verdict(std::int64_t step) const {
  return holds_line(step, [](const nlohmann::json& line) { return line.contains("verdict"); });
}

}  // namespace unchannel
