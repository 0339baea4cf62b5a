#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "description.hpp"
#include "plugin_call.hpp"

namespace unchannel {

/// A latent under the configuration in force.
struct LatentLayout {
  bool active = false;  ///< an inactive one has no buffer in any call
  ChannelShape shape;   ///< per sample; empty: one number
  std::int64_t size = 1;
};

/// What a plugin's file is, for provenance.
struct PluginFile {
  std::filesystem::path path;
  std::string sha256;
  std::string abi;  ///< interface version it was built for, "1.0"
};

enum class CallKind { kDrawLatents, kSimulate, kLift, kMean, kVjp, kLoglik };
constexpr std::size_t kCallKinds = 6;
const char* call_name(CallKind kind);  ///< "draw_latents", "simulate", …

/// One batch call on raw buffers: row-major, the batch in front, float32 but for latents and loglik. What a call does not use is null.
///
///     kind          reads                     writes
///     draw_latents  x where a latent needs it latents_out
///     simulate      x, latents                result = y
///     lift          y, visible latents        result = x
///     mean          x, latents                result = y
///     vjp           x, latents, cotangent     result = gradient [B, x_shape]
///     loglik        x, y, latents             loglik [B] float64, result = gradient or null
struct BatchCall {
  CallKind kind = CallKind::kSimulate;
  std::uint64_t key = 0;                 ///< already derived for the purpose of this call
  std::span<const std::uint64_t> ids{};  ///< [count]; empty for calls that draw nothing
  std::int64_t count = 0;
  const float* x = nullptr;
  const float* y = nullptr;
  const float* cotangent = nullptr;
  std::span<const void* const> latents{};  ///< by latent index
  std::span<void* const> latents_out{};    ///< by latent index; null: not wanted
  float* result = nullptr;
  double* loglik = nullptr;
};

/// One instance of a plugin's channel, wherever it runs: in this process (PluginChannel) or in one of its own (WorkerChannel). Buffers
/// are as in BatchCall, latents by latent index (nullptr where inactive) in their declared types. All functions may be called from several
/// threads; those that the plugin cannot do concurrently wait for each other. Failures of single samples are returned; failures of a call
/// throw PluginError naming file, channel, function, status and the plugin's text.
class PluginInstance {
 public:
  using InLatents = std::span<const void* const>;
  using OutLatents = std::span<void* const>;

  PluginInstance() = default;
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;
  virtual ~PluginInstance() = default;

  /// Puts a configuration in force; `parameters` is a JSON object, relative paths in it start at `folder`. Throws ConfigError (schema) or
  /// PluginError (the plugin refuses, or y_shape ≠ x_shape without lift/1); then the former configuration stays in force.
  virtual void configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder = ".") = 0;
  virtual PluginFile file() const = 0;
  /// Under the configuration in force, e.g. offers("mean/1").
  virtual bool offers(const char* extension) const = 0;
  /// A call whose arguments have been checked. Use the functions below.
  virtual PluginSampleFailures run(const BatchCall& call) const = 0;

  const ChannelDescription& description() const noexcept { return description_; }
  const ChannelShape& x_shape() const noexcept { return active_.x_shape; }
  const ChannelShape& y_shape() const noexcept { return active_.y_shape; }
  const std::vector<LatentLayout>& latent_layouts() const noexcept { return active_.latents; }
  /// Every parameter with its value, defaults included.
  const nlohmann::json& parameters() const noexcept { return active_.parameters; }
  /// The plugin's own account of its configuration, TOML.
  const std::string& canonical() const noexcept { return active_.canonical; }

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

  /// Throws ShapeError or ConfigError when `call` does not fit the configuration in force.
  void check_call(const BatchCall& call) const;

 protected:
  struct Configuration {
    bool set = false;
    ChannelShape x_shape, y_shape;
    std::int64_t x_size = 0, y_size = 0;
    std::vector<LatentLayout> latents;
    nlohmann::json parameters;
    std::string canonical;
    std::uint64_t workspace_bytes = 0, workspace_bytes_per_sample = 0;
  };

  std::string place() const;  ///< "file.so: channel id: "
  bool needs_signal(const BatchCall& call) const;

  ChannelDescription description_;
  Configuration active_;
};

}  // namespace unchannel
