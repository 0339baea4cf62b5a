#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include <unchannel/nn/network.hpp>

#include "guided_sampling.hpp"

// Shape legend: B rows · D signal elements, D = P·S · P planes of a signal · S pixels of a plane
namespace unchannel::baselines {

/// A single pixel taken alone, N(mean, deviation²), data units: what the network's answer is added to.
struct PixelLaw {
  double mean = 0.0;
  double deviation = 1.0;
};

/// Mean and deviation of the pixels of y_BD that seen_BS shows. Throws DataError when it shows fewer than two, or all are equal.
PixelLaw pixel_law(const at::Tensor& y_BD, const at::Tensor& seen_BS);

/// seen_BS with each shown pixel hidden with probability `delta`, in all planes at once, float32; row b is a function of (key, ids_B[b]).
at::Tensor thinned(const at::Tensor& seen_BS, double delta, RandomKey key, const at::Tensor& ids_B);

/// What the denoiser sees: x_t = (1 − t) x + t z with z ~ N(0, I) where the mask shows it, and the mask.
struct AmbientInput {
  at::Tensor t_B;       ///< float32 in (0, 1]
  at::Tensor x_BD;      ///< x_t, data units; hidden pixels are not looked at
  at::Tensor shown_BS;  ///< float32: 1 shown, 0 hidden
};

/// y_BD carried to the times t_B by fresh noise, row b a function of (key, ids_B[b]).
AmbientInput ambient_input(const at::Tensor& y_BD, const at::Tensor& shown_BS, const at::Tensor& t_B, RandomKey key, const at::Tensor& ids_B);

/// Ambient diffusion for masks (Daras et al. 2023): x̂(t, x_t, mask) = E[x | the pixels of x_t that the mask shows], learnt from masked signals
/// alone. Derivation: docs/theory/guided_sampling.md, "Ambient diffusion".
class AmbientDenoiser {
 public:
  /// Of `settings`, family and size count; the network works on the elements. Throws ConfigError for a committee.
  AmbientDenoiser(const ModelSettings& settings, std::vector<std::int64_t> signal_shape, PixelLaw law);

  std::unique_ptr<Network> make_network(RandomKey key) const;
  /// Pixels of a plane, S.
  std::int64_t plane_size() const { return shape_.plane_size(); }
  const PixelLaw& law() const { return law_; }

  /// x̂ [B, D], data units: the conditional mean of each pixel alone, plus the network's answer in units of the deviation that is left to it.
  /// Dropout is on where `dropout_key` is given; ids_B then number the rows.
  at::Tensor mean(Network& network, const AmbientInput& input, const RandomKey* dropout_key = nullptr, const at::Tensor& ids_B = {}) const;

  /// Mean over rows and elements of seen·|x̂ − y|²/v, v the variance of a pixel alone given what is shown of it. A pixel that seen_BS hides
  /// has no share. Its minimiser is E[y | input] in every element, since v is a function of the input.
  at::Tensor loss(const at::Tensor& mean_BD, const AmbientInput& input, const at::Tensor& y_BD, const at::Tensor& seen_BS) const;

  /// y where seen, else E[x | y, mask]: one network call at the time t > 0, which should be the least one learnt. [B, D]
  at::Tensor restore(Network& network, const at::Tensor& y_BD, const at::Tensor& seen_BS, double t, RandomKey key, const at::Tensor& ids_B) const;

  /// x̂ as a function of time and x_t for masks that stay fixed, for samplers; denoiser and network must outlive it.
  ConditionalMean fixed_mask_mean(Network& network, const at::Tensor& shown_BS) const;

  /// New signals from standard normal z_BD: the probability-flow ODE with the mask fixed from t = 1 to 0, second-order multistep, [B, D].
  at::Tensor sample(Network& network, const at::Tensor& shown_BS, const at::Tensor& z_BD, std::int64_t steps) const;

 private:
  struct Alone {
    at::Tensor mean_BD, deviation_BD, whitened_BD;
  };
  Alone pixels_alone(const AmbientInput& input) const;
  at::Tensor elements(const at::Tensor& mask_BS) const;

  ModelSettings settings_;
  NetworkShape shape_;
  PixelLaw law_;
};

}  // namespace unchannel::baselines
