#include "gaussian_bridge.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

namespace unchannel {

std::map<std::string, at::Tensor> GaussianModel::tensors() const {
  return {{"mean", mean_D},
          {"basis", basis_DR},
          {"covariance", covariance_RR},
          {"response", response_RR},
          {"excess", excess_RR},
          {"shift", shift_R},
          {"log_level", at::tensor({log_level_mean, log_level_std}, at::kDouble)}};
}

GaussianModel GaussianModel::from_tensors(const std::map<std::string, at::Tensor>& tensors) {
  GaussianModel model;
  model.mean_D = tensors.at("mean");
  model.basis_DR = tensors.at("basis");
  model.covariance_RR = tensors.at("covariance");
  model.response_RR = tensors.at("response");
  model.excess_RR = tensors.at("excess");
  model.shift_R = tensors.at("shift");
  model.log_level_mean = tensors.at("log_level")[0].item<double>();
  model.log_level_std = tensors.at("log_level")[1].item<double>();
  return model;
}

GaussianBridge::GaussianBridge(GaussianModel model, const Interpolant& interpolant)
    : model_(std::move(model)), interpolant_(interpolant) {
  const at::Tensor& c_RR = model_.covariance_RR;
  const at::Tensor cross_RR = c_RR.matmul(model_.response_RR);                           // Cov(a, Uᵀy)
  const at::Tensor seen_RR = model_.response_RR.t().matmul(cross_RR) + model_.excess_RR;  // Cov(Uᵀy) without white noise
  const double level2 = std::exp(2.0 * model_.log_level_mean);
  std::vector<at::Tensor> values, vectors, gains, scales, traces;
  std::vector<double> beta2, gamma, mix;
  for (std::int64_t level = 1; level <= interpolant_.levels(); ++level) {
    const Schedule s = interpolant_.at(interpolant_.time_of(level));
    at::Tensor cov_RR = s.alpha * s.alpha * c_RR + s.alpha * s.beta * (cross_RR + cross_RR.t()) + s.beta * s.beta * seen_RR;
    cov_RR = 0.5 * (cov_RR + cov_RR.t());
    auto [eigenvalues_R, eigenvectors_RR] = at::linalg_eigh(cov_RR);
    eigenvalues_R = eigenvalues_R.clamp_min(1e-12 * eigenvalues_R.max().item<double>());
    const at::Tensor gain_RR = (s.alpha * c_RR + s.beta * cross_RR).matmul(eigenvectors_RR);  // Cov(a, Vᵀ Uᵀ I)
    const double white = s.beta * s.beta * level2 + s.gamma * s.gamma;
    const at::Tensor variance_R = (c_RR - (gain_RR / (eigenvalues_R + white)).matmul(gain_RR.t())).diagonal().clamp_min(0.0);
    values.push_back(eigenvalues_R);
    vectors.push_back(eigenvectors_RR);
    gains.push_back(gain_RR);
    scales.push_back((variance_R + 1e-10 * c_RR.diagonal().mean()).sqrt());
    traces.push_back(variance_R.sum());
    beta2.push_back(s.beta * s.beta);
    gamma.push_back(s.gamma);
    mix.push_back(s.beta);
  }
  const auto table = [](const std::vector<at::Tensor>& list) { return at::stack(list).to(at::kFloat).contiguous(); };
  eigenvalues_LR_ = table(values);
  eigenvectors_LRR_ = table(vectors);
  gain_LRR_ = table(gains);
  scale_LR_ = table(scales);
  trace_L_ = table(traces);
  beta2_L_ = at::tensor(beta2, at::kFloat);
  gamma_L_ = at::tensor(gamma, at::kFloat);
  mix_L_ = at::tensor(mix, at::kFloat);
}

GaussianBridge::Features GaussianBridge::evaluate(const at::Tensor& level_G, const at::Tensor& interpolated_GND) const {
  const at::Tensor row_G = level_G - 1;
  const auto pick = [&](const at::Tensor& table) { return table.index_select(0, row_G); };
  const at::Tensor centred_GND = interpolated_GND - model_.mean_D;
  at::Tensor c_GNR = centred_GND.matmul(model_.basis_DR);
  const auto outside_dimensions = static_cast<double>(model_.dimension() - model_.rank());
  const at::Tensor outside_GN = (centred_GND.square().sum(2) - c_GNR.square().sum(2)).clamp_min(0.0) / std::max(1.0, outside_dimensions);
  const at::Tensor beta2_G1 = pick(beta2_L_).unsqueeze(1);
  const at::Tensor gamma2_G1 = pick(gamma_L_).square().unsqueeze(1);

  Features features;
  features.outside_GN = outside_dimensions > 0.0 ? ((outside_GN - gamma2_G1) / beta2_G1).clamp_min(kNoLevel) : at::full_like(outside_GN, kNoLevel);
  features.log_level_GN = ((0.5 * features.outside_GN.log() - model_.log_level_mean) / model_.log_level_std).clamp(-8.0, 8.0);
  c_GNR = c_GNR - pick(mix_L_).view({-1, 1, 1}) * model_.shift_R;
  const at::Tensor vectors_GRR = pick(eigenvectors_LRR_);
  const at::Tensor white_GN1 = (beta2_G1 * features.outside_GN + gamma2_G1).unsqueeze(2);
  const at::Tensor turned_GNR = at::bmm(c_GNR, vectors_GRR);
  const at::Tensor inverse_GNR = (pick(eigenvalues_LR_).unsqueeze(1) + white_GN1).reciprocal();
  features.whitened_GNR = at::bmm(turned_GNR * inverse_GNR.sqrt(), vectors_GRR.transpose(1, 2));
  features.signal_GNR = at::bmm(turned_GNR * inverse_GNR, pick(gain_LRR_).transpose(1, 2));
  if (interpolant_.learns_denoiser()) {
    features.noise_GNR = pick(gamma_L_).view({-1, 1, 1}) * at::bmm(turned_GNR * inverse_GNR, vectors_GRR.transpose(1, 2));
  }
  return features;
}

at::Tensor GaussianBridge::decode(const at::Tensor& coordinates) const {
  return coordinates.matmul(model_.basis_DR.t()) + model_.mean_D;
}

at::Tensor GaussianBridge::encode(const at::Tensor& signal) const { return (signal - model_.mean_D).matmul(model_.basis_DR); }

}  // namespace unchannel
