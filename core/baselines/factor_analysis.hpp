#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "affine_response.hpp"

// Shape legend: N objects · D signal pixels · M observation pixels · K kept modes of the response · R factors
namespace unchannel::baselines {

/// How the linear-Gaussian model is fitted.
struct FactorAnalysisOptions {
  std::int64_t rank = 0;  ///< number of factors; 0: as many eigenvalues of the noise-whitened observations as noise alone would not give
  std::int64_t max_rank = 128;
  std::int64_t iterations = 40;
  double tolerance = 1e-5;  ///< stop when the log likelihood per number rises by less, in nats
};

/// The linear-Gaussian estimator fitted to observations *only*: x = V S⁻¹ (m + L w), y = H x + offset + σ_i n, w ~ N(0, I_R),
/// by EM with parameter expansion (Liu, Rubin & Wu 1998), white noise that differs from object to object.
///
/// H = U S Vᵀ is known (probed or closed form). Modes in which the response is weak (S < 0.3 of its maximum) are kept, in
/// the order of S, as long as the observations show more power than their noise, mean z² − mean σ² > 6 mean σ² √(2/N): in the others
/// the restoration is 0, since nothing in the data speaks of them.
class FactorAnalysis {
 public:
  /// y_NM [N, M] observations · sigma_N [N] their noise, or undefined: then each object's σ is fitted too (maximum likelihood).
  /// float64 inside; 12,000 × 1,024 with 98 factors takes about 10 s on one core. Throws ShapeError, DataError, NumericalError (no mode kept).
  static FactorAnalysis fit(const at::Tensor& y_NM, const AffineResponse& response, const at::Tensor& sigma_N = {},
                            const FactorAnalysisOptions& options = {});

  /// Posterior mean of the signals under the fitted model, float32 [B, D]. sigma_B as above; where undefined it is estimated from
  /// each observation with the model held fixed.
  at::Tensor restore(const at::Tensor& y_BM, const at::Tensor& sigma_B = {}) const;

  std::int64_t rank() const { return loadings_KR_.size(1); }
  std::int64_t modes() const { return mean_K_.size(0); }
  std::int64_t iterations() const { return iterations_; }
  double log_likelihood_per_number() const { return log_likelihood_; }

 private:
  at::Tensor offset_M_, project_MK_, unproject_KD_;  // z = (y − offset) project, x = a unproject
  at::Tensor mean_K_, loadings_KR_;                  // of the measured modes z
  std::int64_t iterations_ = 0;
  double log_likelihood_ = 0;
};

}  // namespace unchannel::baselines
