#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "call_layout.hpp"
#include "isolation.hpp"
#include "plugin_instance.hpp"
#include "registry.hpp"
#include "worker_process.hpp"

namespace unchannel {

/// What a channel's workers went through.
struct WorkerStatistics {
  std::int64_t deaths = 0;                     ///< crashes, hangs, exits, garbled answers; each cost a respawn
  std::int64_t dropped_samples = 0;            ///< given up because workers died on them twice
  std::vector<std::filesystem::path> saved{};  ///< their calls
};

/// What a worker process is started for, and what it may use of the program.
struct WorkerSource {
  ProbeResult probe;
  ChannelDescription channel;  ///< one of the probe's
  std::filesystem::path worker;
  std::uint32_t threads = 1;
  LogSink log{};
  ProgressSink progress{};
};

/// A plugin's channel in a process of its own (docs/reference/worker_protocol.md). A worker that dies, hangs or answers nonsense is
/// replaced and the call repeated with the same key and ids: of a deterministic channel nobody can tell. A call that fails twice is cut
/// into halves until the samples to blame are found (PER_SAMPLE channels, latents of all), or given up as a whole; what is given up is
/// zeroed, marked kSampleCrashed and saved. Calls wait for each other.
class WorkerChannel final : public PluginInstance {
 public:
  /// Throws ConfigError (unknown id) or PluginError (the worker cannot be started).
  static std::unique_ptr<WorkerChannel> create(const PluginRegistry& registry, const std::string& id, const IsolationSettings& settings);
  /// Of a plugin file that no registry has found; `registry` gives the threads, the worker and where its words go.
  static std::unique_ptr<WorkerChannel> create(const PluginRegistry& registry, const ProbeResult& probe, const std::string& id,
                                               const IsolationSettings& settings);
  /// The same of a plugin that no registry holds. Throws PluginError.
  static std::unique_ptr<WorkerChannel> create(WorkerSource source, const IsolationSettings& settings);
  ~WorkerChannel() override;

  void configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder = ".") override;
  PluginFile file() const override { return file_; }
  bool offers(const char* extension) const override;
  PluginSampleFailures run(const BatchCall& call) const override;

  WorkerStatistics statistics() const;
  /// The process that is in use now, also while it works; 0: none.
  pid_t worker_pid() const noexcept { return pid_; }

 private:
  WorkerChannel(WorkerSource source, const IsolationSettings& settings);
  WorkerProcess& worker() const;
  void start_worker() const;
  void forget_calls() const;
  void discard_worker() const;
  Message ask(WorkerProcess& process, const nlohmann::json& header, const std::string& expected) const;
  Message ask(WorkerProcess& process, const std::string& function, std::string_view header, const std::string& expected,
              std::span<const std::string_view> payload, std::uint64_t answer_payload_bytes) const;
  void send_configuration(WorkerProcess& process) const;
  void count_failure(const WorkerFailure& failure) const;
  Configuration accept(const Message& answer, std::vector<std::string>& offers) const;

  bool attempt(const BatchCall& call, std::int64_t first, PluginSampleFailures& failures) const;
  const std::string& header_of(const BatchCall& call, CallLayout layout) const;
  Message fetch(WorkerProcess& process, const BatchCall& call, const CallLayout& layout) const;
  void settle(const BatchCall& call, std::int64_t first, const CallLayout& layout, const char* source,
              std::vector<std::int32_t>& sample_status, PluginSampleFailures& failures) const;
  void complete(const BatchCall& call, std::int64_t first, int attempts, PluginSampleFailures& failures) const;
  void drop(const BatchCall& call, std::int64_t first, PluginSampleFailures& failures) const;

  IsolationSettings settings_;
  PluginFile file_;
  ProbeResult probe_;  ///< what a respawned worker must find unchanged
  std::vector<std::string> command_;
  std::uint32_t threads_;
  LogSink log_;
  ProgressSink progress_;
  std::vector<std::string> offers_;

  struct KnownCall;
  mutable std::array<std::unique_ptr<KnownCall>, kCallKinds> known_;  // the last call of each kind: most likely the next one's header
  mutable std::mutex mutex_;                                          // one conversation at a time
  mutable std::unique_ptr<WorkerProcess> process_;
  mutable std::atomic<pid_t> pid_{0};
  mutable bool shared_ = false;      // the worker takes data in shared memory
  mutable bool configured_ = false;  // the worker has the configuration in force
  mutable std::int64_t failures_in_row_ = 0;
  mutable std::string last_failure_;
  mutable WorkerStatistics statistics_;
};

}  // namespace unchannel
