#pragma once

#include <ATen/core/IListRef.h>
#include <ATen/ops/linalg_cholesky.h>

#include <unchannel/baselines/guided_sampling.hpp>

#include "blur_channel.hpp"

// Shape legend: B samples · D signal elements
namespace unchannel::baselines_test {

/// x ~ N(m, C), all of whose conditional laws are closed forms. float64.
struct GaussianPrior {
  at::Tensor mean_D, covariance_DD;

  std::int64_t dimension() const { return mean_D.size(0); }
  at::Tensor identity() const { return at::eye(dimension(), at::kDouble); }
  /// K_t of E[x | x_t] = m + K_t (x_t − (1 − t) m), by the joint covariance of x and x_t.
  at::Tensor gain_DD(double t) const {
    const at::Tensor seen_DD = (1 - t) * (1 - t) * covariance_DD + t * t * identity();
    return at::matmul((1 - t) * covariance_DD, at::linalg_inv(seen_DD));
  }
  baselines::ConditionalMean conditional_mean() const {
    return [*this](double t, const at::Tensor& x_BD) {
      const at::Tensor gain = gain_DD(t);
      const at::Tensor offset_D = mean_D - (1 - t) * at::matmul(gain, mean_D);
      return at::matmul(x_BD, gain.t().to(at::kFloat)) + offset_D.to(at::kFloat);
    };
  }
};

/// Neighbours alike, means and variances of order one.
inline GaussianPrior smooth_prior(std::int64_t dimension) {
  const at::Tensor place = at::arange(dimension, at::kDouble);
  const at::Tensor distance = place.unsqueeze(1) - place.unsqueeze(0);
  return {(place * 0.9).sin() + 0.5, (distance.square() * -0.25).exp() + 0.1 * at::eye(dimension, at::kDouble)};
}

/// y = x where seen, standard normal noise where hidden, as the mask channels have it; the mask is a latent.
class HidingChannel : public BlurChannel {
 public:
  explicit HidingChannel(std::int64_t pixels) : BlurChannel(pixels, 1.0, 0.1) {}
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const override { return x_BD * latents.at("gain"); }
  at::Tensor vjp(const at::Tensor&, const Latents& latents, const at::Tensor& v_BM) const override { return v_BM * latents.at("gain"); }
};

inline double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

}  // namespace unchannel::baselines_test
