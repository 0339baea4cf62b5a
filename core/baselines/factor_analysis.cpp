#include "factor_analysis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <tuple>
#include <unchannel/base/error.hpp>

#include "tensor_ops.hpp"

namespace unchannel::baselines {
namespace {

constexpr double kWeakResponse = 0.3;      // singular values below this share of the largest need evidence in the data
constexpr double kEvidence = 6;            // standard errors of a mode's power above its noise
constexpr std::int64_t kRoughFactors = 64; // of the first guess of σ
constexpr int kNoiseRounds = 20;           // fixed-point steps for an unknown σ with the model held fixed

// Posterior of the factors given z, in coordinates (columns of `vectors_RR`) in which its covariance is diagonal.
struct FactorPosterior {
  at::Tensor vectors_RR, weights_NR, variance_NR;
  at::Tensor explained_NK;     // mean of z
  at::Tensor log_likelihood_N;  // without constants that do not depend on the model
};

FactorPosterior infer(const at::Tensor& z_NK, const at::Tensor& variance_N, const at::Tensor& mean_K, const at::Tensor& loadings_KR) {
  FactorPosterior result;
  at::Tensor eigenvalues_R;
  std::tie(eigenvalues_R, result.vectors_RR) = at::linalg_eigh(at::matmul(loadings_KR.t(), loadings_KR));
  eigenvalues_R.clamp_min_(0);
  const at::Tensor rotated_KR = at::matmul(loadings_KR, result.vectors_RR), variance_N1 = variance_N.unsqueeze(1);
  const at::Tensor centred_NK = z_NK - mean_K;
  result.variance_NR = variance_N1 / (variance_N1 + eigenvalues_R);
  result.weights_NR = at::matmul(centred_NK, rotated_KR) / variance_N1 * result.variance_NR;
  result.explained_NK = at::matmul(result.weights_NR, rotated_KR.t()) + mean_K;
  const double K = static_cast<double>(z_NK.size(1));
  result.log_likelihood_N = -0.5 * (centred_NK.square().sum(1) / variance_N - (result.weights_NR.square() / result.variance_NR).sum(1) -
                                    result.variance_NR.log().sum(1) + K * (variance_N.log() + std::log(2 * std::numbers::pi)));
  return result;
}

// Maximum-likelihood σ² of each object given the factors' posterior: residual power plus what the factors leave open. `dropped_N`
// is the power in directions that no mode describes, of which there are `numbers − K`.
at::Tensor updated_variance(const at::Tensor& z_NK, const FactorPosterior& posterior, const at::Tensor& loadings_KR, const at::Tensor& dropped_N, double numbers) {
  const at::Tensor gram_R = at::matmul(loadings_KR, posterior.vectors_RR).square().sum(0);
  const at::Tensor open_N = (posterior.variance_NR * gram_R).sum(1);
  return ((z_NK - posterior.explained_NK).square().sum(1) + open_N + dropped_N) / numbers;
}

// σ² of each object from what is left outside the leading directions of the sample, degrees of freedom counted.
at::Tensor rough_variance(const at::Tensor& y_NM) {
  const std::int64_t N = y_NM.size(0), M = y_NM.size(1), R = std::min({kRoughFactors, M / 2, N / 4});
  const at::Tensor centred = y_NM - y_NM.mean(0);
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(at::matmul(centred.t(), centred))).slice(1, M - R, M);
  return (centred.square().sum(1) - at::matmul(centred, vectors).square().sum(1)).clamp_min(0) / static_cast<double>(M - R);
}

void check_observations(const at::Tensor& y, std::int64_t M, const at::Tensor& sigma) {
  check<ShapeError>(y.dim() == 2 && y.size(0) > 0 && y.size(1) == M, "baselines: observations must be [N, {}] for this response.", M);
  check<DataError>(y.isfinite().all().item<bool>(), "baselines: an observation holds NaN or infinity; mask or remove it first.");
  if (!sigma.defined()) return;
  check<ShapeError>(sigma.dim() == 1 && sigma.size(0) == y.size(0), "baselines: {} observations need as many noise levels.", y.size(0));
  check<DataError>((sigma > 0).all().item<bool>() && sigma.isfinite().all().item<bool>(), "baselines: noise levels must be finite and above 0.");
}

// Modes in the order of falling response: all of the strong ones, then weak ones down to the first without evidence. A single weaker
// mode that passes by chance would be divided by a response of 1e-6.
at::Tensor kept_modes(const at::Tensor& response_M, const at::Tensor& power_M, double noise, double objects) {
  const double strong = kWeakResponse * response_M[0].item<double>(), least_power = kEvidence * noise * std::sqrt(2 / objects);
  std::int64_t kept = 0;
  while (kept < response_M.size(0) && (response_M[kept].item<double>() > strong || power_M[kept].item<double>() > least_power)) ++kept;
  return at::arange(kept, at::kLong);
}

struct Start {
  at::Tensor mean_K, loadings_KR;
};

// Eigenvectors of the noise-whitened sample whose eigenvalues lie above the edge (1 + √(K/N))² of pure noise (Marchenko–Pastur).
Start spectral_start(const at::Tensor& z_NK, const at::Tensor& variance_N, const FactorAnalysisOptions& options) {
  const std::int64_t N = z_NK.size(0), K = z_NK.size(1);
  const at::Tensor weight_N1 = variance_N.reciprocal().unsqueeze(1);
  Start start;
  start.mean_K = (z_NK * weight_N1).sum(0) / weight_N1.sum();
  const at::Tensor white_NK = (z_NK - start.mean_K) * weight_N1.sqrt();
  const auto [eigenvalues, vectors] = at::linalg_eigh(at::matmul(white_NK.t(), white_NK) / static_cast<double>(N));
  const double edge = std::pow(1 + std::sqrt(static_cast<double>(K) / static_cast<double>(N)), 2);
  std::int64_t rank = options.rank > 0 ? options.rank : std::min((eigenvalues > edge).sum().item<std::int64_t>(), options.max_rank);
  rank = std::clamp<std::int64_t>(rank, 1, std::max<std::int64_t>(1, K - 1));
  const double typical_variance = 1 / weight_N1.mean().item<double>();
  const at::Tensor scale = ((eigenvalues.slice(0, K - rank, K) - 1).clamp_min(0.01) * typical_variance).sqrt();
  start.loadings_KR = vectors.slice(1, K - rank, K) * scale;
  return start;
}

// One maximisation step. The expansion parameters (mean and covariance of the factors) are fitted along and folded back into
// mean and loadings, which is what makes it converge in tens of steps rather than hundreds.
void maximise(const at::Tensor& z_NK, const at::Tensor& variance_N, const FactorPosterior& posterior, at::Tensor& mean_K, at::Tensor& loadings_KR) {
  const std::int64_t R = loadings_KR.size(1);
  const at::Tensor weight_N1 = variance_N.reciprocal().unsqueeze(1), w_NR = posterior.weights_NR;
  const at::Tensor design = at::cat({w_NR, at::ones({w_NR.size(0), 1}, w_NR.options())}, 1), weighted = design * weight_N1;
  at::Tensor normal = at::matmul(design.t(), weighted);
  normal.slice(0, 0, R).slice(1, 0, R).diagonal() += (weight_N1 * posterior.variance_NR).sum(0);
  const at::Tensor coefficients = at::linalg_solve(normal, at::matmul(weighted.t(), z_NK)).t();  // [K, R + 1], loadings rotated
  const at::Tensor centre_R = w_NR.mean(0);
  at::Tensor spread_RR = at::matmul((w_NR - centre_R).t(), w_NR - centre_R) / static_cast<double>(w_NR.size(0));
  spread_RR.diagonal() += posterior.variance_NR.mean(0);
  const at::Tensor rotated_KR = coefficients.slice(1, 0, R);
  mean_K = coefficients.select(1, R) + at::matmul(rotated_KR, centre_R);
  loadings_KR = at::matmul(rotated_KR, at::linalg_cholesky(spread_RR));
}

}  // namespace

FactorAnalysis FactorAnalysis::fit(const at::Tensor& y_NM, const AffineResponse& response, const at::Tensor& sigma_N, const FactorAnalysisOptions& options) {
  const std::int64_t M = response.matrix_MD.size(0);
  check_observations(y_NM, M, sigma_N);
  check<ShapeError>(y_NM.size(0) >= 8, "baselines: factor analysis needs at least 8 observations, not {}.", y_NM.size(0));
  check<ConfigError>(options.rank >= 0 && options.iterations >= 1 && options.max_rank >= 1, "baselines: factor analysis needs rank ≥ 0, iterations ≥ 1 and max_rank ≥ 1.");
  const at::Tensor y = y_NM.to(at::kDouble) - response.offset_M;
  at::Tensor variance_N = sigma_N.defined() ? sigma_N.to(at::kDouble).square() : rough_variance(y).clamp_min(1e-30);

  const auto [U_MM, S, Vt] = at::linalg_svd(response.matrix_MD, false);
  const at::Tensor z_all = at::matmul(y, U_MM);
  const double noise = variance_N.mean().item<double>();
  const at::Tensor power = z_all.square().mean(0) - noise;
  const at::Tensor keep = kept_modes(S, power, noise, static_cast<double>(y_NM.size(0)));
  check<NumericalError>(keep.numel() > 0, "baselines: no mode of the response rises above the noise; factor analysis has nothing to fit.");

  FactorAnalysis model;
  model.offset_M_ = response.offset_M;
  model.project_MK_ = U_MM.index_select(1, keep).contiguous();
  model.unproject_KD_ = Vt.index_select(0, keep) / S.index_select(0, keep).unsqueeze(1);
  const at::Tensor z_NK = z_all.index_select(1, keep);
  const at::Tensor dropped_N = (y.square().sum(1) - z_NK.square().sum(1)).clamp_min(0);
  Start start = spectral_start(z_NK, variance_N, options);
  model.mean_K_ = start.mean_K;
  model.loadings_KR_ = start.loadings_KR;
  double previous = -std::numeric_limits<double>::infinity();
  for (model.iterations_ = 1;; ++model.iterations_) {
    const FactorPosterior posterior = infer(z_NK, variance_N, model.mean_K_, model.loadings_KR_);
    model.log_likelihood_ = posterior.log_likelihood_N.mean().item<double>() / static_cast<double>(z_NK.size(1));
    check<NumericalError>(std::isfinite(model.log_likelihood_), "baselines: the likelihood of the factor analysis is not finite; an observation may be constant.");
    if (model.iterations_ >= options.iterations || std::abs(model.log_likelihood_ - previous) < options.tolerance) break;
    previous = model.log_likelihood_;
    const at::Tensor used_variance = variance_N;
    if (!sigma_N.defined()) variance_N = updated_variance(z_NK, posterior, model.loadings_KR_, dropped_N, static_cast<double>(M));
    maximise(z_NK, used_variance, posterior, model.mean_K_, model.loadings_KR_);
  }
  return model;
}

at::Tensor FactorAnalysis::restore(const at::Tensor& y_BM, const at::Tensor& sigma_B) const {
  check_observations(y_BM, offset_M_.size(0), sigma_B);
  const at::Tensor y = y_BM.to(at::kDouble) - offset_M_;
  const at::Tensor z_BK = at::matmul(y, project_MK_);
  at::Tensor variance_B;
  if (sigma_B.defined()) {
    variance_B = sigma_B.to(at::kDouble).square();
  } else {
    const at::Tensor dropped_B = (y.square().sum(1) - z_BK.square().sum(1)).clamp_min(0);
    variance_B = (z_BK - mean_K_).square().mean(1).clamp_min(1e-30);
    for (int round = 0; round < kNoiseRounds; ++round)
      variance_B = updated_variance(z_BK, infer(z_BK, variance_B, mean_K_, loadings_KR_), loadings_KR_, dropped_B, static_cast<double>(y.size(1))).clamp_min(1e-30);
  }
  return at::matmul(infer(z_BK, variance_B, mean_K_, loadings_KR_).explained_NK, unproject_KD_).to(at::kFloat);
}

}  // namespace unchannel::baselines
