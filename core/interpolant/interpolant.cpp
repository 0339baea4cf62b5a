#include "interpolant.hpp"

#include <ATen/ATen.h>

#include <limits>

namespace unchannel {

void InterpolantSettings::visit(SettingsVisitor& visitor) {
  visitor.choice({"kind", "linear: ODE, gamma = 0. stochastic: gamma = t(1-t), transport by the reverse SDE."}, kind,
                 {"linear", "stochastic"});
  visitor.number({"epsilon", "Diffusion of the reverse SDE (stochastic only)."}, epsilon, 0.0, 100.0);
  visitor.integer({"time_levels", "The drift is learnt at the times 1/L, 2/L, ... 1; the numbers of transport steps must divide L."},
                  time_levels, 1, 4096);
}

Schedule Interpolant::at(double t) const {
  Schedule schedule{1.0 - t, t, 0.0, -1.0, 1.0, 0.0};
  if (stochastic()) {
    schedule.gamma = t * (1.0 - t);
    schedule.gamma_rate = 1.0 - 2.0 * t;
  }
  return schedule;
}

at::Tensor Interpolant::mix(const at::Tensor& t_G, const at::Tensor& x_GND, const at::Tensor& y_GND, const at::Tensor& z_GND) const {
  const at::Tensor t_G11 = t_G.view({-1, 1, 1});
  at::Tensor mixed = at::lerp(x_GND, y_GND, t_G11);
  if (stochastic()) mixed = mixed.addcmul_(t_G11 * (1.0 - t_G11), z_GND);
  return mixed;
}

at::Tensor Interpolant::drift(double t, const at::Tensor& interpolated, const at::Tensor& signal, const at::Tensor& noise) const {
  const Schedule s = at(t);
  at::Tensor b = (interpolated - s.alpha * signal) * (s.beta_rate / s.beta) + s.alpha_rate * signal;
  if (stochastic()) b = b + (s.gamma_rate - s.gamma * s.beta_rate / s.beta) * noise;
  return b;
}

}  // namespace unchannel
