#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <unchannel/measurement/channel.hpp>

// Shape legend: B objects · D signal pixels · M observation pixels · m replicas
namespace unchannel::diagnostics {

/// How the p-value is computed.
struct ResidualPvalueOptions {
  std::int64_t replicas = 99;                 ///< m; the smallest possible p-value is 1/(m + 1)
  std::vector<std::int64_t> widths = {1, 8, 64};  ///< edges of the bands of scales, pixels, rising
  std::int64_t batch = 64;                    ///< objects at a time: memory is 4 bytes × batch × (m + 1) × M, a few times
};

/// Per-object p-value for "the simulator explains this observation, given this restoration".
///
/// For each object m replicas y_r = F(x) are simulated from its restored signal with fresh noise and fresh hidden latents. Observation and replicas
/// are split into bands of scales, differences of running means of neighbouring widths (so that a hidden offset, which moves all pixels together,
/// does not drown a narrow line); with the mean and variance of all m + 1 (observation included) per pixel and band, the distance
/// of each is T = Σ (y − mean)² / variance. Distances are standardised over the m + 1 in each band and the largest is the statistic; p = (1 + #{replicas with a statistic ≥ the observation's}) / (m + 1).
///
/// The observation and the replicas enter alike, so if x were the true signal, p would be exactly uniform on {1, …, m + 1}/(m + 1),
/// whatever the channel (Besag & Clifford 1989). x is a restoration *of this observation*, hence p-values lean to 1 where it follows the noise
/// and to 0 where it is wrong: small ones say that restoration or simulator fail for the object, a uniform histogram proves neither.
///
/// x_BD [B, D], y_BM [B, M] float32 · `given`: latents [B, L…] that came with the observations (visible ones; source "own" or "data") ·
/// valid_BM: 1 where the observation counts, undefined: everywhere · ids_B [B] int64, the objects' global numbers: results do not depend on the batch ·
/// returns [B] float64. Throws ShapeError, ConfigError, DataError (not finite).
/// NaN for an object of which a simulation failed.
at::Tensor residual_pvalues(const Channel& channel, const at::Tensor& x_BD, const at::Tensor& y_BM, const Latents& given, RandomKey key,
                            const at::Tensor& ids_B, const at::Tensor& valid_BM = {}, const ResidualPvalueOptions& options = {});

}  // namespace unchannel::diagnostics
