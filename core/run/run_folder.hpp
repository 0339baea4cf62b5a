#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace unchannel {

/// A run folder, opened for one writer. Layout: docs/reference/run_folder.md.
class RunFolder {
 public:
  /// Creates the folder (or opens it when `resume`) and locks it. Throws ConfigError when a new run would overwrite a checkpoint,
  /// or when there is nothing to resume; DataError when the folder cannot be written or another process holds it.
  /// What a start without a checkpoint left behind is overwritten.
  static RunFolder create(const std::filesystem::path& path);
  static RunFolder resume(const std::filesystem::path& path);
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint_path() const { return checkpoint_path(path_); }
  static std::filesystem::path checkpoint_path(const std::filesystem::path& run) { return run / "checkpoints" / "latest.safetensors"; }
  static std::filesystem::path config_path(const std::filesystem::path& run) { return run / "config.resolved.toml"; }

  void write_config(const std::string& toml) const;
  /// version, git, torch, threads, plugin and data hashes given by the caller in `facts`; time of start is added.
  void write_provenance(const nlohmann::json& facts) const;

  /// Appends one line to metrics.jsonl and hands it to the operating system.
  void append_metrics(const nlohmann::json& line) const;
  /// Cuts metrics.jsonl back to the lines whose "step" is at most `step` (resume).
  void cut_metrics(std::int64_t step) const;
  /// Whether metrics.jsonl has the figures of the test split for `step`.
  bool holds_test_figures(std::int64_t step) const;
  /// Whether it has a verdict for `step`.
  bool holds_verdict(std::int64_t step) const;

 private:
  bool holds_line(std::int64_t step, bool (*wanted)(const nlohmann::json&)) const;
  RunFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace unchannel
