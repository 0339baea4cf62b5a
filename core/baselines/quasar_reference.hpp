#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include <unchannel/base/random.hpp>

#include "affine_response.hpp"
#include "node_prior.hpp"

// Shape legend: B objects · D signal pixels · M observation pixels
namespace unchannel::baselines {

/// The exact Bayesian answer for signals from a NodePrior through y = H x + offset + σ n.
struct ExactPosterior {
  at::Tensor mean_BD;           ///< posterior mean, float32: the least root-mean-square error any method can have (MMSE)
  at::Tensor draw_BD;           ///< one posterior draw, float32: twice the MMSE on average, the right law
  at::Tensor variance_B;        ///< posterior variance averaged over pixels, float64; its mean over objects is the MMSE bound²
  at::Tensor log_evidence_B;    ///< ln p(y), float64, nats
  at::Tensor drawn_node_B;      ///< node the draw came from, int64
};

/// Posterior by quadrature over the nodes, in one pass with running normalisation: memory does not grow with the nodes.
/// y_BM [B, M] · sigma_B [B] > 0, noise standard deviation of each observation, known · `ids_B` [B] int64 names the objects: the draw
/// of an object depends on (key, id) alone. float64 inside. Cost 4 B M R Q + 2 M D R Q operations (3,000 objects, 1,024 pixels, 20
/// factors, 1,001 nodes: 0.3 T, about 20 s on one core). Throws ShapeError, DataError (σ ≤ 0, NaN).
ExactPosterior exact_posterior(const NodePrior& prior, const AffineResponse& response, const at::Tensor& y_BM, const at::Tensor& sigma_B,
                               RandomKey key, const at::Tensor& ids_B);

/// Best linear estimator with the clean moments known: m + C Hᵀ (H C Hᵀ + v I)⁻¹ (y − H m − offset), float32 [B, D].
/// noise_variance_B [B] > 0: equal entries E[σ²] give the one linear map that is best on average (the reference figure); each
/// object's own σ² gives the best map that knows the noise level.
at::Tensor linear_estimate(const Moments& clean, const AffineResponse& response, const at::Tensor& y_BM, const at::Tensor& noise_variance_B);

/// σ of each object where the noise follows the signal: mean over pixels |H x + offset| / SNR. truth_BD [B, D], snr_B [B] → [B] float64.
at::Tensor noise_from_snr(const AffineResponse& response, const at::Tensor& truth_BD, const at::Tensor& snr_B);

}  // namespace unchannel::baselines
