#include "latent_gaussian.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/transport/solver.hpp>

#include "moments.hpp"
#include "observed_sample.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kMaxValues = 8;
constexpr std::int64_t kBlockRows = 512;
constexpr double kLeastVariance = 1e-6;  // of an element, as a share of the mean over elements

/// The latent's values at each element of the signal, [B, D].
at::Tensor at_elements(const at::Tensor& latent, std::int64_t dimension) {
  const at::Tensor flat_BS = latent.to(at::kFloat).flatten(1);
  return flat_BS.repeat({1, dimension / flat_BS.size(1)});
}

/// Which of `values_K` stands at each element; -1 where none does.
at::Tensor class_of(const at::Tensor& latent_BD, const at::Tensor& values_K) {
  at::Tensor class_BD = at::full(latent_BD.sizes(), -1, at::kLong);
  for (std::int64_t k = 0; k < values_K.size(0); ++k) class_BD.masked_fill_(latent_BD.eq(values_K[k].item<float>()), k);
  return class_BD;
}

at::Tensor pick(const at::Tensor& table_K, const at::Tensor& class_BD) {
  return table_K.index_select(0, class_BD.clamp_min(0).flatten()).view(class_BD.sizes()).masked_fill(class_BD.lt(0), 0.0);
}

std::int64_t place_count(const Channel& channel) {
  const std::vector<std::int64_t> shape = channel.signal_shape();
  if (shape.size() == 3) return shape[1] * shape[2];
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

}  // namespace

std::optional<std::string> LatentGaussian::usable_latent(const Observations& observations, const Channel& channel) {
  for (const LatentSpec& spec : channel.latents()) {
    std::int64_t size = 1;
    for (const std::int64_t extent : spec.shape) size *= extent;
    if (!spec.visible || size < 2 || (size != place_count(channel) && size != observations.signal_size())) continue;
    const ObservationBatch rows = observations.early_stop();
    if (std::get<0>(at::_unique(rows.latents.at(spec.name))).numel() <= kMaxValues) return spec.name;
  }
  return std::nullopt;
}

LatentGaussian::Seen LatentGaussian::see(const at::Tensor& y_BD, const Latents& latents) const {
  const auto found = latents.find(latent_);
  check<ShapeError>(found != latents.end(), "latent '{}' is needed by the linear start but was not given; the data need /latents/{} for every observation.",
                    latent_, latent_);
  const at::Tensor class_BD = class_of(at_elements(found->second, y_BD.size(1)), values_K_);
  const at::Tensor gain_BD = pick(gain_K_, class_BD), noise_BD = pick(noise_K_, class_BD).clamp_min(1e-20);
  const at::Tensor silent_BD = gain_BD.eq(0.0);
  Seen seen;
  seen.value_BD = ((y_BD - pick(shift_K_, class_BD)) / gain_BD.masked_fill(silent_BD, 1.0)).masked_fill(silent_BD, 0.0);
  const at::Tensor gain2_BD = gain_BD.square();
  seen.precision_BD = gain2_BD / (noise_BD + gain2_BD * unique_D_);
  return seen;
}

std::pair<at::Tensor, at::Tensor> LatentGaussian::factors(const Seen& seen) const {
  const std::int64_t rank = loadings_DR_.size(1), rows = seen.value_BD.size(0);
  const at::Tensor pairs_DRR = loadings_DR_.unsqueeze(2) * loadings_DR_.unsqueeze(1);
  const at::Tensor precision_BRR = seen.precision_BD.matmul(pairs_DRR.flatten(1)).view({rows, rank, rank}) + at::eye(rank);
  const at::Tensor factor_BRR = at::linalg_cholesky(precision_BRR);
  const at::Tensor score_BR = (seen.precision_BD * (seen.value_BD - mean_D_)).matmul(loadings_DR_);
  return {factor_BRR, at::cholesky_solve(score_BR.unsqueeze(2), factor_BRR).squeeze(2)};
}

at::Tensor LatentGaussian::signals(const Seen& seen, const at::Tensor& f_BR) const {
  const at::Tensor predicted_BD = mean_D_ + f_BR.matmul(loadings_DR_.t());
  return predicted_BD + unique_D_ * seen.precision_BD * (seen.value_BD - predicted_BD);
}

at::Tensor LatentGaussian::posterior_mean(const at::Tensor& y_BD, const Latents& latents) const {
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < y_BD.size(0); begin += kBlockRows) {
    const std::int64_t end = std::min(y_BD.size(0), begin + kBlockRows);
    const Seen seen = see(y_BD.slice(0, begin, end), {{latent_, latents.at(latent_).slice(0, begin, end)}});
    parts.push_back(signals(seen, factors(seen).second));
  }
  return at::cat(parts);
}

at::Tensor LatentGaussian::posterior_draw(const at::Tensor& y_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const {
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < y_BD.size(0); begin += kBlockRows) {
    const std::int64_t end = std::min(y_BD.size(0), begin + kBlockRows);
    const at::Tensor ids = ids_B.slice(0, begin, end);
    const Seen seen = see(y_BD.slice(0, begin, end), {{latent_, latents.at(latent_).slice(0, begin, end)}});
    const auto [factor_BRR, mean_BR] = factors(seen);
    // With precision L Lᵀ, L⁻ᵀ ξ has the covariance of f.
    const at::Tensor xi_BR = normal_rows(key.derive(1), ids, mean_BR.size(1));
    const at::Tensor f_BR = mean_BR + at::linalg_solve_triangular(factor_BRR.transpose(1, 2), xi_BR.unsqueeze(2), /*upper=*/true).squeeze(2);
    const at::Tensor left_BD = unique_D_ * (1.0 - unique_D_ * seen.precision_BD).clamp_min(0.0);
    parts.push_back(signals(seen, f_BR) + left_BD.sqrt() * normal_rows(key.derive(2), ids, y_BD.size(1)));
  }
  return at::cat(parts);
}

void LatentGaussian::probe(const Channel& channel, const Latents& observed, std::int64_t probes, RandomKey key) {
  const std::int64_t values = values_K_.size(0), dimension = mean_D_.size(0);
  at::Tensor count_K = at::zeros({values}, at::kDouble), x_K = count_K.clone(), y_K = count_K.clone(), xx_K = count_K.clone(),
             xy_K = count_K.clone(), yy_K = count_K.clone();
  for (std::int64_t begin = 0; begin < probes; begin += kBlockRows) {
    const std::int64_t rows = std::min(kBlockRows, probes - begin);
    const at::Tensor ids_B = at::arange(begin, begin + rows, at::kLong);
    const at::Tensor x_BD = mean_D_ + normal_rows(key.derive(1), ids_B, loadings_DR_.size(1)).matmul(loadings_DR_.t()) +
                            unique_D_.sqrt() * normal_rows(key.derive(2), ids_B, dimension);
    Latents used;
    const Latents given = bootstrap_latents(observed, rows, key.derive(3).derive(static_cast<std::uint64_t>(begin)));
    const FailureWatch watch(channel);
    const at::Tensor raw_BM = measure(channel, x_BD, given, key.derive(4), ids_B, &used);
    const at::Tensor lifted_BD = channel.lift(raw_BM, used);
    const at::Tensor weight_B = watch.weight_B(rows);
    const at::Tensor class_BD = valid_rows(class_of(at_elements(used.at(latent_), dimension), values_K_), weight_B);
    const at::Tensor x = valid_rows(x_BD, weight_B).to(at::kDouble), y = valid_rows(lifted_BD, weight_B).to(at::kDouble);
    for (std::int64_t k = 0; k < values; ++k) {
      const at::Tensor here = class_BD.eq(k);
      const at::Tensor xk = x.masked_select(here), yk = y.masked_select(here);
      count_K[k] += xk.numel(), x_K[k] += xk.sum(), y_K[k] += yk.sum();
      xx_K[k] += xk.square().sum(), xy_K[k] += (xk * yk).sum(), yy_K[k] += yk.square().sum();
    }
  }
  const at::Tensor n_K = count_K.clamp_min(1.0);
  const at::Tensor var_x_K = xx_K / n_K - (x_K / n_K).square(), var_y_K = yy_K / n_K - (y_K / n_K).square();
  const at::Tensor covariance_K = xy_K / n_K - x_K / n_K * y_K / n_K;
  at::Tensor gain_K = covariance_K / var_x_K.clamp_min(1e-300);
  const at::Tensor rest_K = (var_y_K - gain_K * covariance_K).clamp_min(0.0);
  // A gain within four of its standard errors is none: nothing of the signal passes there.
  gain_K = gain_K.masked_fill(gain_K.abs().lt(4.0 * (rest_K / (n_K * var_x_K.clamp_min(1e-300))).sqrt()).logical_or(count_K.lt(2.0)), 0.0);
  check<NumericalError>(gain_K.ne(0.0).any().item<bool>(),
                        "the linear start found that channel {} lets nothing of the signal through, whatever latent '{}' is. Use start.kind = "
                        "\"observation\".",
                        channel.id(), latent_);
  gain_K_ = gain_K.to(at::kFloat);
  shift_K_ = (y_K / n_K - gain_K * x_K / n_K).to(at::kFloat);
  noise_K_ = rest_K.to(at::kFloat);
}

void LatentGaussian::start_from_pairs(const at::Tensor& y_ND, const Latents& latents, std::int64_t rank) {
  const std::int64_t dimension = y_ND.size(1);
  at::Tensor sum_D = at::zeros({dimension}), weight_D = sum_D.clone(), noise_D = sum_D.clone();
  unique_D_ = at::zeros({dimension});
  const auto for_blocks = [&](const auto& use) {
    for (std::int64_t begin = 0; begin < y_ND.size(0); begin += kBlockRows) {
      const std::int64_t end = std::min(y_ND.size(0), begin + kBlockRows);
      const Seen seen = see(y_ND.slice(0, begin, end), {{latent_, latents.at(latent_).slice(0, begin, end)}});
      use(seen.value_BD, seen.precision_BD.gt(0.0).to(at::kFloat), seen.precision_BD);
    }
  };
  for_blocks([&](const at::Tensor& value_BD, const at::Tensor& known_BD, const at::Tensor& precision_BD) {
    sum_D += (value_BD * known_BD).sum(0);
    weight_D += known_BD.sum(0);
    noise_D += (known_BD / precision_BD.clamp_min(1e-20)).sum(0);
  });
  mean_D_ = sum_D / weight_D.clamp_min(1.0);
  at::Tensor sum_DD = at::zeros({dimension, dimension}), pairs_DD = sum_DD.clone();
  for_blocks([&](const at::Tensor& value_BD, const at::Tensor& known_BD, const at::Tensor&) {
    const at::Tensor centred_BD = (value_BD - mean_D_) * known_BD;
    sum_DD.addmm_(centred_BD.t(), centred_BD);
    pairs_DD.addmm_(known_BD.t(), known_BD);
  });
  at::Tensor covariance_DD = (sum_DD / pairs_DD.clamp_min(1.0)).to(at::kDouble);
  covariance_DD.diagonal().sub_((noise_D / weight_D.clamp_min(1.0)).to(at::kDouble));
  const at::Tensor variance_D = covariance_DD.diagonal().clamp_min(0.0);
  const Spectrum spectrum = leading_eigenvectors(covariance_DD, rank);
  loadings_DR_ = (spectrum.vectors_DR * spectrum.values_R.clamp_min(0.0).sqrt()).to(at::kFloat).contiguous();
  const double least = kLeastVariance * variance_D.mean().item<double>() + 1e-12;
  unique_D_ = (variance_D.to(at::kFloat) - loadings_DR_.square().sum(1)).clamp_min(least);
}

void LatentGaussian::improve(const at::Tensor& y_ND, const Latents& latents) {
  const std::int64_t dimension = y_ND.size(1), rank = loadings_DR_.size(1), wide = rank + 1;
  // Normal equations of each element's regression on (f, 1), every row with its own precision.
  at::Tensor normal_DWW = at::zeros({dimension, wide * wide}), right_DW = at::zeros({dimension, wide});
  at::Tensor square_D = at::zeros({dimension}), weight_D = square_D.clone(), noise_D = square_D.clone();
  for (std::int64_t begin = 0; begin < y_ND.size(0); begin += kBlockRows) {
    const std::int64_t end = std::min(y_ND.size(0), begin + kBlockRows), rows = end - begin;
    const Seen seen = see(y_ND.slice(0, begin, end), {{latent_, latents.at(latent_).slice(0, begin, end)}});
    const auto [factor_BRR, mean_BR] = factors(seen);
    const at::Tensor f_BW = at::cat({mean_BR, at::ones({rows, 1})}, 1);
    at::Tensor moment_BWW = f_BW.unsqueeze(2) * f_BW.unsqueeze(1);
    moment_BWW.slice(1, 0, rank).slice(2, 0, rank).add_(at::cholesky_inverse(factor_BRR));
    const at::Tensor precision_DB = seen.precision_BD.t();
    normal_DWW.addmm_(precision_DB, moment_BWW.view({rows, wide * wide}));
    right_DW.addmm_(precision_DB * seen.value_BD.t(), f_BW);
    // 1/ω = s²/a² + ψ: what is left of ψ after this row's own noise.
    square_D += (seen.precision_BD * seen.value_BD.square()).sum(0);
    weight_D += seen.precision_BD.sum(0);
    noise_D += (1.0 - seen.precision_BD * unique_D_).sum(0) - seen.precision_BD.eq(0.0).sum(0);
  }
  const double ridge = 1e-4 * weight_D.mean().item<double>();
  const at::Tensor system_DWW = normal_DWW.view({dimension, wide, wide}) + ridge * at::eye(wide);
  const at::Tensor solved_DW = at::linalg_solve(system_DWW, right_DW.unsqueeze(2)).squeeze(2);
  const at::Tensor residual_D =
      square_D - 2.0 * (solved_DW * right_DW).sum(1) +
      at::bmm(at::bmm(solved_DW.unsqueeze(1), normal_DWW.view({dimension, wide, wide})), solved_DW.unsqueeze(2)).flatten();
  loadings_DR_ = solved_DW.slice(1, 0, rank).contiguous();
  mean_D_ = solved_DW.select(1, rank).contiguous();
  const at::Tensor total_D = loadings_DR_.square().sum(1) + unique_D_;
  const double least = kLeastVariance * total_D.mean().item<double>() + 1e-12;
  unique_D_ = ((residual_D - noise_D) / weight_D.clamp_min(1e-20)).clamp_min(least);
}

LatentGaussian LatentGaussian::fit(const Observations& observations, const Channel& channel, const StartSettings& settings, RandomKey key,
                                   const std::function<void(std::int64_t)>& progress) {
  const at::NoGradGuard no_grad;
  const ObservedSample sample = read_sample(observations);
  const std::int64_t dimension = sample.y_ND.size(1), rank = std::min(settings.components, dimension);
  LatentGaussian fit;
  fit.latent_ = usable_latent(observations, channel).value();
  fit.values_K_ = std::get<0>(at::_unique(sample.latents.at(fit.latent_))).to(at::kFloat);
  // The first probing needs signals of about the right size only: independent elements.
  fit.mean_D_ = sample.y_ND.mean(0);
  fit.loadings_DR_ = at::zeros({dimension, rank});
  fit.unique_D_ = sample.y_ND.var(0).mean().expand({dimension}).contiguous();
  for (std::int64_t round = 0; round < settings.rounds; ++round) {
    fit.probe(channel, sample.latents, settings.probes, key.derive(static_cast<std::uint64_t>(round)));
    if (round == 0) fit.start_from_pairs(sample.y_ND, sample.latents, rank);
    for (std::int64_t step = 0; step < settings.em_steps; ++step) fit.improve(sample.y_ND, sample.latents);
    if (progress) progress(round + 1);
  }
  return fit;
}

std::map<std::string, at::Tensor> LatentGaussian::tensors() const {
  return {{"values", values_K_}, {"gain", gain_K_},         {"shift", shift_K_}, {"noise", noise_K_},
          {"mean", mean_D_},     {"loadings", loadings_DR_}, {"unique", unique_D_}};
}

LatentGaussian LatentGaussian::from_tensors(const std::string& latent, const std::map<std::string, at::Tensor>& tensors) {
  LatentGaussian fit;
  fit.latent_ = latent;
  fit.values_K_ = tensors.at("values");
  fit.gain_K_ = tensors.at("gain");
  fit.shift_K_ = tensors.at("shift");
  fit.noise_K_ = tensors.at("noise");
  fit.mean_D_ = tensors.at("mean");
  fit.loadings_DR_ = tensors.at("loadings");
  fit.unique_D_ = tensors.at("unique");
  return fit;
}

}  // namespace unchannel
