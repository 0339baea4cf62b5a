#include "gaussian_fit.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/transport/solver.hpp>

#include "held_out_spectrum.hpp"
#include "moments.hpp"
#include "observed_sample.hpp"
#include "response_basis.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kBlockRows = 512;
constexpr std::int64_t kNoiseComponents = 64;

struct Projection {
  at::Tensor q_BR;      // Uᵀ(y − m)
  at::Tensor level2_B;  // mean square outside the basis; kNoLevel where nothing is outside
};

Projection project(const at::Tensor& y_BD, const at::Tensor& mean_D, const at::Tensor& basis_DR) {
  const std::int64_t outside = basis_DR.size(0) - basis_DR.size(1);
  std::vector<at::Tensor> q, level2;
  for (const at::Tensor& block_BD : y_BD.split(kBlockRows)) {
    const at::Tensor centred_BD = block_BD - mean_D;
    q.push_back(centred_BD.matmul(basis_DR));
    level2.push_back(outside == 0 ? at::full({centred_BD.size(0)}, GaussianBridge::kNoLevel)
                                  : ((centred_BD.square().sum(1) - q.back().square().sum(1)) / static_cast<double>(outside)).clamp_min(1e-12));
  }
  return {at::cat(q), at::cat(level2)};
}

at::Tensor ids_from(std::int64_t first, std::int64_t count) { return at::arange(first, first + count, at::kLong); }

/// a ~ N(0, C) for the given ids, [ids, R].
at::Tensor draw_coordinates(const at::Tensor& covariance_RR, RandomKey key, const at::Tensor& ids_B) {
  const std::int64_t rank = covariance_RR.size(0);
  const double jitter = 1e-8 * covariance_RR.diagonal().mean().item<double>() + 1e-30;
  const at::Tensor factor_RR = at::linalg_cholesky(covariance_RR + jitter * at::eye(rank, at::kDouble));
  return normal_rows(key, ids_B, rank).matmul(factor_RR.t().to(at::kFloat));
}

/// Covariance of the residuals of q beyond white noise. Eigenvalues that sampling noise alone would give (Marchenko–Pastur edge, with
/// a factor 1.5 to spare) count as zero.
at::Tensor excess_scatter(const at::Tensor& residual_NR, double white) {
  const auto rows = static_cast<double>(residual_NR.size(0)), rank = static_cast<double>(residual_NR.size(1));
  at::Tensor excess_RR = residual_NR.t().matmul(residual_NR) / rows - white * at::eye(residual_NR.size(1), at::kDouble);
  auto [values_R, vectors_RR] = at::linalg_eigh(0.5 * (excess_RR + excess_RR.t()));
  values_R = at::where(values_R > 3.0 * white * std::sqrt(rank / rows), values_R, at::zeros_like(values_R));
  return (vectors_RR * values_R).matmul(vectors_RR.t());
}

/// Probes the channel around the current model: linear response G, shift q and the distribution of noise levels.
void probe_response(GaussianModel& model, const Channel& channel, const Latents& observed_latents, std::int64_t probes, RandomKey key) {
  constexpr std::int64_t kBlock = 1024;
  std::vector<at::Tensor> a_list, q_list, level_list;
  for (std::int64_t begin = 0; begin < probes; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, probes - begin);
    const at::Tensor ids_B = ids_from(begin, count);
    const at::Tensor a_BR = draw_coordinates(model.covariance_RR, key.derive(1), ids_B);
    const at::Tensor x_BD = a_BR.matmul(model.basis_DR.t()) + model.mean_D;
    Latents used;
    const Latents given = bootstrap_latents(observed_latents, count, key.derive(2).derive(static_cast<std::uint64_t>(begin)));
    const FailureWatch watch(channel);
    const at::Tensor raw_BM = measure(channel, x_BD, given, key.derive(3), ids_B, &used);
    const Projection seen = project(channel.lift(raw_BM, used), model.mean_D, model.basis_DR);
    const at::Tensor weight_B = watch.weight_B(count);
    a_list.push_back(valid_rows(a_BR, weight_B));
    q_list.push_back(valid_rows(seen.q_BR, weight_B));
    level_list.push_back(valid_rows(seen.level2_B, weight_B));
  }
  const at::Tensor a_NR = at::cat(a_list).to(at::kDouble), q_NR = at::cat(q_list).to(at::kDouble);
  const at::Tensor log_level_N = 0.5 * at::cat(level_list).to(at::kDouble).log();
  const at::Tensor q_mean_R = q_NR.mean(0);
  const at::Tensor a0_NR = a_NR - a_NR.mean(0), q0_NR = q_NR - q_mean_R;
  const at::Tensor gram_RR = a0_NR.t().matmul(a0_NR);
  const double ridge = 1e-8 * gram_RR.diagonal().mean().item<double>();
  model.response_RR = at::linalg_solve(gram_RR + ridge * at::eye(gram_RR.size(0), at::kDouble), a0_NR.t().matmul(q0_NR));
  model.shift_R = (q_mean_R - a_NR.mean(0).matmul(model.response_RR)).to(at::kFloat);
  const double white = at::cat(level_list).to(at::kDouble).mean().item<double>();
  model.excess_RR = excess_scatter(q0_NR - a0_NR.matmul(model.response_RR), white);
  model.log_level_mean = log_level_N.mean().item<double>();
  model.log_level_std = log_level_N.std(/*unbiased=*/false).item<double>() + 1e-3;
}

/// Basis and first covariance from the leading directions of the observations themselves.
void start_from_observations(GaussianModel& model, const at::Tensor& y_ND, const at::Tensor& weight_N, const at::Tensor& covariance_DD,
                             const StartSettings& settings, std::int64_t rank, const std::string& file) {
  const Spectrum spectrum = leading_eigenvectors(smooth_along_diagonals(covariance_DD, settings.smoothing_elements), rank);
  model.basis_DR = spectrum.vectors_DR.to(at::kFloat).contiguous();
  const at::Tensor level2_N = project(y_ND, model.mean_D, model.basis_DR).level2_B;
  const double noise = ((weight_N * level2_N).sum() / weight_N.sum()).item<double>();
  const double largest = spectrum.values_R[0].item<double>();
  check<NumericalError>(largest > noise,
                        "{}: the observations have no variance above their noise level {:.3g}; a linear start is not possible. "
                        "Use start.kind = \"observation\".",
                        file, std::sqrt(noise));
  const double floor = std::max(0.02 * noise, 1e-5 * (largest - noise));
  model.covariance_RR = at::diag((spectrum.values_R - noise).clamp_min(floor));
}

/// As start_from_observations, with variances and rank from held-out rows.
void start_from_held_out(GaussianModel& model, const at::Tensor& y_ND, const at::Tensor& weight_N, const at::Tensor& level2_N,
                         const StartSettings& settings, std::int64_t rank) {
  const Spectrum spectrum = held_out_spectrum(y_ND, weight_N, level2_N, settings.smoothing_elements, rank);
  const at::Tensor columns_DR = settings.filter_basis ? filter_basis(spectrum.vectors_DR) : spectrum.vectors_DR;
  const auto [basis_DR, triangle_RR] = at::linalg_qr(columns_DR);
  model.basis_DR = basis_DR.to(at::kFloat).contiguous();
  model.covariance_RR = (triangle_RR * spectrum.values_R).matmul(triangle_RR.t());
}

/// Basis from the channel's response. Directions that it nearly swallows start with half the variance of the weakest ones that are
/// still well measured: signals have less power in what an instrument swallows than in what it passes, and the iteration takes away
/// faster than it adds.
void start_from_response(GaussianModel& model, const at::Tensor& y_ND, const Channel& channel, const Latents& latents,
                         const StartSettings& settings, std::int64_t rank, RandomKey key) {
  constexpr double kWellMeasured = 10.0;  // variance of the response over that of the noise
  constexpr std::int64_t kWeakest = 8;
  const ProbedResponse response =
      probe_response_basis(channel, model.mean_D, bootstrap_latents(latents, settings.probes, key.derive(1)), settings.probes, rank, key);
  model.basis_DR = response.basis_DR;
  const Projection seen = project(y_ND, model.mean_D, model.basis_DR);
  const at::Tensor level2 = seen.level2_B.to(at::kDouble).mean();
  const at::Tensor signal_R = seen.q_BR.to(at::kDouble).var(0) - level2;
  const at::Tensor strong = (signal_R > kWellMeasured * level2).nonzero().squeeze(1);
  check<NumericalError>(strong.numel() > 0,
                        "no direction that the channel passes stands out of the noise of the observations; a linear "
                        "start is not possible. Use start.kind = \"observation\".");
  const at::Tensor variance_R = signal_R / response.gain_R.square().clamp_min(1e-300);
  const at::Tensor weak = 0.5 * variance_R.index_select(0, strong.slice(0, std::max<std::int64_t>(0, strong.numel() - kWeakest))).mean();
  at::Tensor start_R = weak.repeat({rank});
  start_R.index_copy_(0, strong, variance_R.index_select(0, strong));
  model.covariance_RR = at::diag(start_R);
}

}  // namespace

GaussianFit::GaussianFit(GaussianModel model) : model_(std::move(model)) { refresh_tables(); }

void GaussianFit::refresh_tables() {
  const at::Tensor cross_RR = model_.covariance_RR.matmul(model_.response_RR);
  at::Tensor seen_RR = model_.response_RR.t().matmul(cross_RR) + model_.excess_RR;
  seen_RR = 0.5 * (seen_RR + seen_RR.t());
  std::tie(eigenvalues_R_, eigenvectors_RR_) = at::linalg_eigh(seen_RR);
  eigenvalues_R_ = eigenvalues_R_.clamp_min(1e-12 * eigenvalues_R_.max().item<double>());
  gain_RR_ = cross_RR.matmul(eigenvectors_RR_);
}

at::Tensor GaussianFit::posterior_coordinates(const at::Tensor& q_BR, const at::Tensor& level2_B) const {
  const at::Tensor turned_BR = (q_BR - model_.shift_R).matmul(eigenvectors_RR_.to(at::kFloat));
  return (turned_BR / (eigenvalues_R_.to(at::kFloat) + level2_B.unsqueeze(1))).matmul(gain_RR_.to(at::kFloat).t());
}

at::Tensor GaussianFit::posterior_mean(const at::Tensor& y_BD) const {
  const Projection seen = project(y_BD, model_.mean_D, model_.basis_DR);
  return posterior_coordinates(seen.q_BR, seen.level2_B).matmul(model_.basis_DR.t()) + model_.mean_D;
}

at::Tensor GaussianFit::posterior_draw(const at::Tensor& y_BD, RandomKey key, const at::Tensor& ids_B) const {
  const Projection seen = project(y_BD, model_.mean_D, model_.basis_DR);
  // A pair (a′, q′) from the model and the correction a′ − E[a | q′] give an exact draw of the residual.
  const at::Tensor a_BR = draw_coordinates(model_.covariance_RR, key.derive(1), ids_B);
  const at::Tensor white_BR = normal_rows(key.derive(2), ids_B, model_.rank()) * seen.level2_B.sqrt().unsqueeze(1);
  const at::Tensor scatter_BR = draw_coordinates(model_.excess_RR, key.derive(3), ids_B);
  const at::Tensor q_BR = a_BR.matmul(model_.response_RR.to(at::kFloat)) + model_.shift_R + scatter_BR + white_BR;
  const at::Tensor draw_BR = posterior_coordinates(seen.q_BR, seen.level2_B) + a_BR - posterior_coordinates(q_BR, seen.level2_B);
  return draw_BR.matmul(model_.basis_DR.t()) + model_.mean_D;
}

GaussianFit GaussianFit::fit(const Observations& observations, const Channel& channel, const StartSettings& settings, RandomKey key,
                             const std::function<void(std::int64_t)>& progress) {
  const at::NoGradGuard no_grad;
  check<ConfigError>(!settings.filter_basis || channel.signal_shape().size() == 1,
                     "start.filter_basis filters along one axis; the signal of channel {} has {}. Leave it false.", channel.id(),
                     channel.signal_shape().size());
  const std::int64_t dimension = observations.signal_size();
  const ObservedSample sample = read_sample(observations);
  const std::int64_t rank = std::min(settings.components, dimension);
  // A basis of all directions leaves nothing to measure a level in: the noise is then part of the measured scatter E.
  const bool weighted = settings.weighting == "noise" && rank < dimension;

  // Noise level of each observation: what a first, plain principal-component fit leaves.
  at::Tensor weight_N = at::ones({sample.y_ND.size(0)});
  Moments moments = weighted_moments(sample.y_ND, weight_N);
  const at::Tensor first_DR =
      leading_eigenvectors(moments.covariance_DD, std::clamp<std::int64_t>(dimension / 4, 1, kNoiseComponents)).vectors_DR;
  const at::Tensor first_level_N = project(sample.y_ND, moments.mean_D.to(at::kFloat), first_DR.to(at::kFloat)).level2_B;
  if (weighted) weight_N = first_level_N.reciprocal();
  if (weighted) moments = weighted_moments(sample.y_ND, weight_N);
  GaussianModel model;
  model.mean_D = moments.mean_D.to(at::kFloat);
  const bool held_out = settings.variances == "held_out";
  if (held_out) {
    start_from_held_out(model, sample.y_ND, weight_N, first_level_N, settings, rank);
  } else if (settings.basis == "response") {
    start_from_response(model, sample.y_ND, channel, sample.latents, settings, rank, key.derive(Purpose::kChannelProbe));
  } else {
    start_from_observations(model, sample.y_ND, weight_N, moments.covariance_DD, settings, rank, observations.reader().path().string());
  }
  const Projection seen = project(sample.y_ND, model.mean_D, model.basis_DR);

  // EM for the linear-Gaussian model whose response is measured anew in every round.
  at::Tensor q_NR = seen.q_BR;
  for (std::int64_t round = 0; round < settings.rounds; ++round) {
    probe_response(model, channel, sample.latents, settings.probes, key.derive(static_cast<std::uint64_t>(round)));
    for (std::int64_t step = 0; step < settings.em_steps; ++step) {
      const GaussianFit now(model);
      const at::Tensor posterior_NR = now.posterior_coordinates(q_NR, seen.level2_B).to(at::kDouble);
      const at::Tensor shrink_R = (now.eigenvalues_R_ + seen.level2_B.to(at::kDouble).unsqueeze(1)).reciprocal().mean(0);
      const at::Tensor residual_RR = model.covariance_RR - (now.gain_RR_ * shrink_R).matmul(now.gain_RR_.t());
      const at::Tensor mean_R = posterior_NR.mean(0);
      const at::Tensor centred_NR = posterior_NR - mean_R;
      const at::Tensor next_RR = centred_NR.t().matmul(centred_NR) / static_cast<double>(centred_NR.size(0)) + residual_RR;
      // Maximum likelihood on the same rows would undo what the held-out rows corrected.
      if (!held_out) model.covariance_RR = 0.5 * (next_RR + next_RR.t());
      // The basis coordinates of the observations and of the response stay relative to m: moving m moves both.
      model.mean_D = model.mean_D + model.basis_DR.matmul(mean_R.to(at::kFloat));
      q_NR = q_NR - mean_R.to(at::kFloat);
      model.shift_R = model.shift_R + (mean_R.matmul(model.response_RR) - mean_R).to(at::kFloat);
    }
    if (progress) progress(round + 1);
  }
  probe_response(model, channel, sample.latents, settings.probes, key.derive(static_cast<std::uint64_t>(settings.rounds)));
  return GaussianFit(std::move(model));
}

}  // namespace unchannel
