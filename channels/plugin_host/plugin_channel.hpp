#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "description.hpp"
#include "library.hpp"
#include "plugin_call.hpp"
#include "registry.hpp"

namespace unchannel {

/// A latent under the configuration in force.
struct LatentLayout {
  bool active = false;  ///< an inactive one has no buffer in any call
  ChannelShape shape;   ///< per sample; empty: one number
  std::int64_t size = 1;
};

/// One instance of a plugin's channel on raw buffers. Buffers are row-major with the batch in front: x [B, x_shape], y [B, y_shape]
/// float32, latents by latent index (nullptr where inactive) in their declared types. All functions may be called from several threads;
/// those that the plugin cannot do concurrently wait for each other. Failures of single samples are returned; failures of a call throw
/// PluginError naming file, channel, function, status and the plugin's text.
class PluginChannel {
 public:
  using InLatents = std::span<const void* const>;
  using OutLatents = std::span<void* const>;

  /// Loads the library of channel `id` and creates an instance. Throws ConfigError (unknown id) or PluginError.
  static std::unique_ptr<PluginChannel> create(const PluginRegistry& registry, const std::string& id);
  PluginChannel(const PluginChannel&) = delete;
  PluginChannel& operator=(const PluginChannel&) = delete;
  ~PluginChannel();

  /// Puts a configuration in force; `parameters` is a JSON object, relative paths in it start at `folder`. Throws ConfigError (schema) or
  /// PluginError (the plugin refuses, or y_shape ≠ x_shape without lift/1); then the former configuration stays in force.
  void configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder = ".");

  const ChannelDescription& description() const noexcept { return description_; }
  const Library& library() const noexcept { return library_; }
  const ChannelShape& x_shape() const noexcept { return active_.x_shape; }
  const ChannelShape& y_shape() const noexcept { return active_.y_shape; }
  const std::vector<LatentLayout>& latent_layouts() const noexcept { return active_.latents; }
  /// Every parameter with its value, defaults included.
  const nlohmann::json& parameters() const noexcept { return active_.parameters; }
  /// The plugin's own account of its configuration, TOML.
  const std::string& canonical() const noexcept { return active_.canonical; }
  /// Under the configuration in force, e.g. offers("mean/1").
  bool offers(const char* extension) const;

  /// Writes the latents whose pointer is set. `key` is the key of the measurement: the purposes "latents" and "simulate" are derived from
  /// it here. ids [B]. x may be nullptr unless a wanted latent depends on it.
  PluginSampleFailures draw_latents(std::uint64_t key, std::span<const std::uint64_t> ids, const float* x, OutLatents latents) const;
  PluginSampleFailures simulate(std::uint64_t key, std::span<const std::uint64_t> ids, const float* x, InLatents latents, float* y) const;
  /// `latents`: hidden ones are nullptr. A copy where the plugin has no lift/1 and the shapes agree.
  PluginSampleFailures lift(std::int64_t count, const float* y, InLatents latents, float* x) const;
  PluginSampleFailures mean(std::int64_t count, const float* x, InLatents latents, float* y) const;
  PluginSampleFailures vjp(std::int64_t count, const float* x, InLatents latents, const float* cotangent, float* gradient) const;
  /// loglik [B] in nats; gradient [B, x_shape] or nullptr.
  PluginSampleFailures loglik(std::int64_t count, const float* y, const float* x, InLatents latents, double* loglik, float* gradient) const;

 private:
  struct Configuration {
    bool set = false;
    ChannelShape x_shape, y_shape;
    std::int64_t x_size = 0, y_size = 0;
    std::vector<LatentLayout> latents;
    nlohmann::json parameters;
    std::string canonical;
    std::uint64_t workspace_bytes = 0, workspace_bytes_per_sample = 0;
  };
  using Call = std::function<std::int32_t(CallTensors&, const unchannel_batch&)>;

  PluginChannel(const PluginRegistry& registry, Library& library, const std::string& id);
  std::string place() const;
  void check_usable() const;
  Configuration accept(const unchannel_configure_result& result, const std::vector<unchannel_latent_shape>& shapes) const;
  template <class Table>
  const Table& table(const char* extension) const;
  std::vector<const unchannel_tensor*> latent_tensors(CallTensors& tensors, InLatents latents) const;
  void check_latents(const char* function, InLatents latents, bool all_active) const;
  PluginSampleFailures call(const char* function, std::uint64_t key, std::span<const std::uint64_t> ids, std::int64_t count,
                            const Call& call) const;
  void settle_status(const char* function, std::int32_t status, const std::string& error) const;

  Library& library_;
  std::shared_ptr<ThreadPool> pool_;
  Host host_;
  const unchannel_core_1* core_ = nullptr;
  void* instance_ = nullptr;
  ChannelDescription description_;
  Configuration active_;
  mutable std::shared_mutex mutex_;  // configure and serial calls hold it alone, reentrant calls share it
  mutable std::atomic<bool> broken_{false};
  mutable WorkspacePool workspaces_;
};

}  // namespace unchannel
