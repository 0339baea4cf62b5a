#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>

#include <unchannel/interpolant/interpolant.hpp>
#include <unchannel/transport/solver.hpp>

namespace unchannel {

/// x ~ N(0, c) in one dimension, y = x + σ n, and every conditional mean along an interpolant between them in closed form.
struct GaussianPath {
  Interpolant interpolant;
  double variance = 0.5;  // c
  double sigma = 0.8;

  double law(double t) const {
    const Schedule s = interpolant.at(t);
    return std::pow(s.alpha + s.beta, 2) * variance + std::pow(s.beta * sigma, 2) + s.gamma * s.gamma;
  }
  /// b and −∇ log p at t through E[x | I] = (α+β) c I / Var I and E[z | I] = γ I / Var I.
  SdeTerms terms(double t, const at::Tensor& x) const {
    const Schedule s = interpolant.at(t);
    const at::Tensor signal = x * ((s.alpha + s.beta) * variance / law(t)), noise = x * (s.gamma / law(t));
    return {interpolant.drift(t, x, signal, noise), interpolant.negative_score(t, x, signal, noise)};
  }
  /// What the ODE from t = 1 to 0 multiplies by: the monotone map of N(0, c + σ²) to N(0, c).
  double factor() const { return std::sqrt(variance / (variance + sigma * sigma)); }
};

inline GaussianPath gaussian_path(const InterpolantSettings& settings) { return GaussianPath{Interpolant(settings)}; }

/// The paths that tests run through, by a name for their messages.
inline InterpolantSettings path_settings(const std::string& name) {
  InterpolantSettings settings;
  settings.kind = name;
  if (name == "quadratic" || name == "sine_squared") {
    settings.kind = "linear";
    settings.gamma = name;
  }
  if (name == "fokker_planck") settings.noise_sigma = GaussianPath{Interpolant(InterpolantSettings{})}.sigma;
  return settings;
}

}  // namespace unchannel
