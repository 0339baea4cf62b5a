#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include <unchannel/base/random.hpp>

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened · L… a latent's own shape
namespace unchannel {

/// How far a channel's output is a pure function of its inputs (ABI.md rule 9).
enum class Determinism { kPerSample, kPerBatch, kNone };

/// Where the values of a latent come from in a run.
enum class LatentSource {
  kFresh,  ///< the channel draws them
  kOwn,    ///< the row that came with the observation the signal was restored from
  kData,   ///< a row drawn at random from the rows that came with the observations (bootstrap)
};

/// A latent variable of the measurement: a number or array that differs from sample to sample.
struct LatentSpec {
  std::string name;
  std::vector<std::int64_t> shape;  ///< per sample; empty for a scalar
  at::ScalarType type = at::kFloat;
  std::string unit;
  std::string prior;     ///< human-readable, e.g. "U(0.5, 2)"
  bool visible = false;  ///< given to the model as an input
  bool depends_on_signal = false;
  LatentSource source = LatentSource::kFresh;
};

/// name → values [B, L…]
using Latents = std::map<std::string, at::Tensor>;

/// A sample that a channel could not do. Its row of the output holds zeros and must get weight zero.
struct FailedSample {
  std::int64_t row = 0;  ///< in its batch
  std::int64_t id = -1;  ///< global index; -1 where the function takes none (lift, mean, vjp, loglik)
  std::string function;  ///< "simulate", "lift", …
  std::string reason;
};

/// A measurement process. All tensors are float32 (latents as declared), contiguous, on the CPU unless a channel says otherwise.
/// Functions throw PluginError (a plugin failed), ShapeError (wrong shapes) or ConfigError (a capability is absent).
class Channel {
 public:
  virtual ~Channel() = default;

  virtual std::string id() const = 0;
  virtual std::string version() const = 0;
  virtual std::vector<std::int64_t> signal_shape() const = 0;
  virtual std::vector<std::int64_t> observation_shape() const = 0;
  virtual const std::vector<LatentSpec>& latents() const = 0;
  virtual Determinism determinism() const = 0;
  /// Canonical configuration for provenance and checkpoints: id, version, content hash, parameters.
  virtual nlohmann::json configuration() const = 0;

  /// Draws the latents whose source is `fresh`. ids_B [B] int64 global sample indices; x_BD may be undefined unless a latent
  /// depends on the signal. Latents are identical for any batch split.
  virtual Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const = 0;

  /// One observation per signal. x_BD [B, D] → [B, M]. `latents` holds every latent of `latents()`.
  virtual at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const = 0;

  /// Observation space → signal space, [B, M] → [B, D]; the identity where the shapes agree.
  virtual at::Tensor lift(const at::Tensor& y_BM, const Latents& latents) const = 0;

  /// True when `simulate` uses no random number and equals `mean`: then derivatives chain through it.
  virtual bool noise_free() const { return false; }
  virtual bool has_mean() const { return false; }
  /// Noise-free observation given the latents, [B, D] → [B, M].
  virtual at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const;
  virtual bool has_vjp() const { return false; }
  /// Transposed derivative of `mean` at x applied to v: [B, D], [B, M] → [B, D].
  virtual at::Tensor vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const;
  virtual bool has_loglik() const { return false; }
  /// log p(y | x, latents) per sample [B], in nats, and its gradient in x [B, D] when `gradient` is not null.
  virtual at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const;

  /// Samples that failed since the last call of this function, in order. A channel throws PluginError by itself when they are too many.
  virtual std::vector<FailedSample> take_failed_samples() const { return {}; }
};

/// Simulates with fresh latents where the channel draws them and `given` for the rest: the whole measurement in one call.
/// `used`, when not null, receives the latents.
at::Tensor measure(const Channel& channel, const at::Tensor& x_BD, const Latents& given, RandomKey key, const at::Tensor& ids_B,
                   Latents* used = nullptr);

}  // namespace unchannel
