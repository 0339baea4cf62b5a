#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unchannel/base/error.hpp>
#include <vector>

#include "description.hpp"
#include "library.hpp"
#include "plugin_instance.hpp"
#include "process_state.hpp"
#include "registry.hpp"

namespace unchannel {

/// What a channel may use of the program that runs it.
struct PluginServices {
  std::shared_ptr<ThreadPool> pool;
  LogSink log{};
  ProgressSink progress{};
  bool settle = true;  ///< non-finite results are found here; false: by whoever asks, who looks through them anyway
};

/// A call failed as a whole; the status says how far the damage goes.
class PluginStatusError : public PluginError {
 public:
  /// `text`: the plugin's own, may be empty.
  PluginStatusError(std::int32_t status, const std::string& what, const std::string& text)
      : PluginError(fmt::format("{} failed with {}: {}", what, status_name(status), text.empty() ? "the plugin gives no reason." : text)),
        status_(status),
        text_(text) {}
  /// `message`: the whole, as a worker process gives it.
  PluginStatusError(std::int32_t status, const std::string& message) : PluginError(message), status_(status) {}
  std::int32_t status() const noexcept { return status_; }  ///< UNCHANNEL_RETRYABLE …
  const std::string& text() const noexcept { return text_; }

 private:
  std::int32_t status_;
  std::string text_;
};

/// A plugin's channel in this process.
class PluginChannel final : public PluginInstance {
 public:
  /// Loads the library of channel `id` and creates an instance. Throws ConfigError (unknown id) or PluginError.
  static std::unique_ptr<PluginChannel> create(const PluginRegistry& registry, const std::string& id);
  /// The same from a library that is loaded already. Throws PluginError.
  static std::unique_ptr<PluginChannel> create(Library& library, const std::string& id, PluginServices services);
  ~PluginChannel() override;

  void configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder = ".") override;
  PluginFile file() const override;
  bool offers(const char* extension) const override;
  PluginSampleFailures run(const BatchCall& call) const override;

  const Library& library() const noexcept { return library_; }

 private:
  PluginChannel(Library& library, const std::string& id, PluginServices services);
  void check_usable() const;
  Configuration accept(const unchannel_configure_result& result, const std::vector<unchannel_latent_shape>& shapes) const;
  template <class Table>
  const Table& table(const char* extension) const;
  std::vector<const unchannel_tensor*> latent_tensors(CallTensors& tensors, InLatents latents) const;
  std::int32_t draw_latents_part(const BatchCall& call, CallTensors& tensors, const unchannel_batch& batch) const;
  std::int32_t call_part(const BatchCall& call, CallTensors& tensors, const unchannel_batch& batch) const;
  template <class Args>
  Args signal_args(const BatchCall& call, CallTensors& tensors, const std::vector<const unchannel_tensor*>& latents) const;
  /// Throws PluginStatusError, and puts back, what a call has changed of the process; `before`: of the first calls, else the locale alone.
  void check_left_alone(const char* function, const std::optional<ProcessState>& before, const std::string& locale) const;
  void settle_status(const char* function, std::int32_t status, const std::string& error) const;

  Library& library_;
  std::shared_ptr<ThreadPool> pool_;
  Host host_;
  const unchannel_core_1* core_ = nullptr;
  void* instance_ = nullptr;
  bool settle_;
  mutable std::shared_mutex mutex_;  // configure and serial calls hold it alone, reentrant calls share it
  mutable std::atomic<bool> broken_{false};
  static constexpr int kCallsInspected = 3;  ///< after each configure, with 64 questions to the kernel each
  mutable std::atomic<int> calls_inspected_{0};
  mutable WorkspacePool workspaces_;
};

}  // namespace unchannel
