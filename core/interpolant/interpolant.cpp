#include "interpolant.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include <unchannel/base/error.hpp>

namespace unchannel {

void InterpolantSettings::visit(SettingsVisitor& visitor) {
  visitor.choice({"kind",
                  "Path between signal and observation. linear: (1-t) x + t y. trigonometric: cos and sin of pi t / 2. polynomial: "
                  "(1-t^p) x + t^p y. fokker_planck: the diffusion that the channel y = x + noise_sigma n itself is [SCSI, eq. 12], in the "
                  "clock t = sqrt(time)."},
                 kind, {"linear", "trigonometric", "polynomial", "fokker_planck"});
  visitor.number({"power", "Exponent p of kind = \"polynomial\"."}, power, 1.0, 8.0);
  visitor.choice({"gamma",
                  "Noise added along the path, whose conditional mean the network then learns too. none: 0. quadratic: a t(1-t). "
                  "sine_squared: a sin(pi t)^2; a is gamma_scale."},
                 gamma, {"none", "quadratic", "sine_squared"});
  visitor.number({"gamma_scale", "Scale a of gamma.", "data units"}, gamma_scale, 1e-9, 1e9);
  visitor.number({"epsilon", "Diffusion of the reverse SDE; 0: transport by the ODE.", "squared data units"}, epsilon, 0.0, 1e9);
  visitor.choice({"epsilon_schedule",
                  "constant: epsilon. linear: epsilon t. gamma: epsilon gamma(t) / gamma_scale. posterior: t noise_sigma^2 whatever epsilon "
                  "is, which reverses the channel y = x + noise_sigma n exactly: restorations are posterior draws."},
                 epsilon_schedule, {"constant", "linear", "gamma", "posterior"});
  visitor.number({"noise_sigma",
                  "Standard deviation of the channel's noise where the channel is y = x + noise_sigma n and nothing else: gives the score of "
                  "I_t without gamma. 0: another channel.",
                  "data units"},
                 noise_sigma, 0.0, 1e9);
  visitor.integer({"time_levels", "The drift is learnt at the times 1/L, 2/L, ... 1; the numbers of transport steps must divide L."},
                  time_levels, 1, 4096);
}

void InterpolantSettings::check_consistency() const {
  check<ConfigError>(kind != "fokker_planck" || noise_sigma > 0.0,
                     "interpolant.kind = \"fokker_planck\" is the diffusion of the channel y = x + noise_sigma n; set interpolant.noise_sigma "
                     "to that channel's sigma, or choose \"linear\".");
  check<ConfigError>(kind != "fokker_planck" || gamma == "none",
                     "interpolant.gamma = \"{}\": kind = \"fokker_planck\" has a noise of its own. Set gamma = \"none\".", gamma);
  check<ConfigError>(epsilon_schedule != "posterior" || (noise_sigma > 0.0 && gamma == "none" && (kind == "linear" || kind == "fokker_planck")),
                     "interpolant.epsilon_schedule = \"posterior\" needs noise_sigma > 0, gamma = \"none\" and kind \"linear\" or "
                     "\"fokker_planck\": only there is the channel's own time reversal known.");
  check<ConfigError>(epsilon_schedule != "gamma" || gamma != "none",
                     "interpolant.epsilon_schedule = \"gamma\" with gamma = \"none\" would be zero. Choose a gamma or another schedule.");
  check<ConfigError>(epsilon == 0.0 || gamma != "none" || noise_sigma > 0.0,
                     "interpolant.epsilon = {:g}: the reverse SDE needs the score. Set interpolant.gamma, or noise_sigma for a channel that adds "
                     "white noise only; or epsilon = 0.",
                     epsilon);
}

Interpolant::Interpolant(const InterpolantSettings& settings) : settings_(settings) { settings_.check_consistency(); }

double Interpolant::epsilon(double t) const {
  if (settings_.epsilon_schedule == "posterior") return t * settings_.noise_sigma * settings_.noise_sigma;
  const double clock = fokker_planck() ? 2.0 * t : 1.0;  // ε is per unit of time = t²
  if (settings_.epsilon_schedule == "linear") return clock * settings_.epsilon * t;
  if (settings_.epsilon_schedule == "gamma") return settings_.epsilon * at(t).gamma / settings_.gamma_scale;
  return clock * settings_.epsilon;
}

Schedule Interpolant::at(double t) const {
  Schedule s{1.0 - t, t, 0.0, -1.0, 1.0, 0.0};
  if (settings_.kind == "trigonometric") {
    const double angle = M_PI_2 * t;
    s = {std::cos(angle), std::sin(angle), 0.0, -M_PI_2 * std::sin(angle), M_PI_2 * std::cos(angle), 0.0};
  } else if (settings_.kind == "polynomial") {
    const double beta = std::pow(t, settings_.power), rate = settings_.power * std::pow(t, settings_.power - 1.0);
    s = {1.0 - beta, beta, 0.0, -rate, rate, 0.0};
  } else if (fokker_planck()) {
    const double left = std::sqrt(std::max(0.0, 1.0 - t * t));
    // The rate of γ is infinite at t = 1; drift() does not use it.
    s = {1.0 - t * t, t * t, settings_.noise_sigma * t * left, -2.0 * t, 2.0 * t, settings_.noise_sigma * (1.0 - 2.0 * t * t) / left};
  }
  if (settings_.gamma == "quadratic") {
    s.gamma = settings_.gamma_scale * t * (1.0 - t);
    s.gamma_rate = settings_.gamma_scale * (1.0 - 2.0 * t);
  } else if (settings_.gamma == "sine_squared") {
    s.gamma = settings_.gamma_scale * std::pow(std::sin(M_PI * t), 2);
    s.gamma_rate = settings_.gamma_scale * M_PI * std::sin(2.0 * M_PI * t);
  }
  return s;
}

at::Tensor Interpolant::mix(const at::Tensor& t_G, const at::Tensor& x_GND, const at::Tensor& y_GND, const at::Tensor& z_GND) const {
  std::vector<float> alpha, beta, gamma;
  const at::Tensor wide_G = t_G.to(at::kCPU, at::kDouble);
  for (std::int64_t g = 0; g < wide_G.size(0); ++g) {
    const Schedule s = at(wide_G[g].item<double>());
    alpha.push_back(static_cast<float>(s.alpha));
    beta.push_back(static_cast<float>(s.beta));
    gamma.push_back(static_cast<float>(s.gamma));
  }
  const auto column = [&](const std::vector<float>& values) { return at::tensor(values).to(x_GND.device()).view({-1, 1, 1}); };
  at::Tensor mixed = settings_.kind == "linear" ? at::lerp(x_GND, y_GND, column(beta)) : (column(alpha) * x_GND).addcmul_(column(beta), y_GND);
  if (draws_noise()) mixed = mixed.addcmul_(column(gamma), z_GND);
  return mixed;
}

at::Tensor Interpolant::drift(double t, const at::Tensor& interpolated, const at::Tensor& signal, const at::Tensor& noise) const {
  if (fokker_planck()) return (interpolated - signal) / t;
  const Schedule s = at(t);
  at::Tensor b = (interpolated - s.alpha * signal) * (s.beta_rate / s.beta) + s.alpha_rate * signal;
  if (learns_denoiser()) b = b + (s.gamma_rate - s.gamma * s.beta_rate / s.beta) * noise;
  return b;
}

at::Tensor Interpolant::negative_score(double t, const at::Tensor& interpolated, const at::Tensor& signal, const at::Tensor& noise) const {
  const Schedule s = at(t);
  // sin(pi)^2 is not quite zero in floating point.
  if (learns_denoiser()) return s.gamma > 1e-9 * settings_.gamma_scale ? noise / s.gamma : at::Tensor();
  if (settings_.noise_sigma == 0.0) return {};
  const double deviation = corruption(t) * settings_.noise_sigma;
  return (interpolated - (s.alpha + s.beta) * signal) / (deviation * deviation);
}

}  // namespace unchannel
