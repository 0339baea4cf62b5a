#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <optional>
#include <string>

#include <unchannel/measurement/channel.hpp>

#include "observations.hpp"
#include "settings.hpp"

// Shape legend: B rows · D data dimension · S places of a plane · R factors · K values that the latent takes
namespace unchannel {

/// The linear start where a visible latent says at each place what the channel did there, as a mask does: factor analysis
///   x = m + W f + e,  f ~ N(0, I),  e_d ~ N(0, ψ_d);   y_d = a_k x_d + b_k + s_k n,  k the latent's value at d
/// with (a, b, s) of each value found by probing the black box. Every observation enters with its own latent.
/// Derivation: docs/theory/linear_start.md, "Per latent".
class LatentGaussian {
 public:
  /// Name of the visible latent of `channel` with one value for each place of the signal, of which `observations` hold at most 8
  /// different ones; none when there is no such latent.
  static std::optional<std::string> usable_latent(const Observations& observations, const Channel& channel);

  /// Fits in `settings.rounds` rounds of a probing and `settings.em_steps` steps of expectation and maximisation, on at most 32,768 training
  /// rows and 64 MiB of them. `progress` (may be empty) is told each finished round. Throws NumericalError when no value of the latent lets
  /// anything of the signal through.
  static LatentGaussian fit(const Observations& observations, const Channel& channel, const StartSettings& settings, RandomKey key,
                            const std::function<void(std::int64_t)>& progress);

  /// E[x | y, latent], [B, D] → [B, D]. Throws ShapeError when the latent is missing.
  at::Tensor posterior_mean(const at::Tensor& y_BD, const Latents& latents) const;
  /// One draw of x | y, latent: preserves the spread of the signals. Row i is a pure function of (key, ids[i]) and its own observation.
  at::Tensor posterior_draw(const at::Tensor& y_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const;

  std::map<std::string, at::Tensor> tensors() const;
  static LatentGaussian from_tensors(const std::string& latent, const std::map<std::string, at::Tensor>& tensors);
  const std::string& latent() const { return latent_; }

 private:
  /// What an observation says about each element: r = (y − b)/a and its precision given f; precision 0 where a = 0.
  struct Seen {
    at::Tensor value_BD, precision_BD;
  };
  Seen see(const at::Tensor& y_BD, const Latents& latents) const;
  /// Precision and mean of f given what was seen: Cholesky factor [B, R, R] and μ [B, R].
  std::pair<at::Tensor, at::Tensor> factors(const Seen& seen) const;
  at::Tensor signals(const Seen& seen, const at::Tensor& f_BR) const;
  void probe(const Channel& channel, const Latents& observed, std::int64_t probes, RandomKey key);
  void start_from_pairs(const at::Tensor& y_ND, const Latents& latents, std::int64_t rank);
  void improve(const at::Tensor& y_ND, const Latents& latents);

  std::string latent_;
  at::Tensor values_K_;                  // of the latent
  at::Tensor gain_K_, shift_K_, noise_K_;  // a, b, s²
  at::Tensor mean_D_, loadings_DR_, unique_D_;  // m, W, ψ
};

}  // namespace unchannel
