#include "transport_rule.hpp"

#include <cmath>

namespace unchannel::theory {
namespace {

SchedulePoint straight(double t) { return {1.0 - t, t, -1.0, 1.0}; }

std::function<double(double)> constant(double epsilon) {
  return [epsilon](double) { return epsilon; };
}

}  // namespace

TransportRule TransportRule::of(std::function<SchedulePoint(double)> schedule, std::function<double(double)> epsilon) {
  TransportRule rule;
  rule.schedule = std::move(schedule);
  rule.epsilon = std::move(epsilon);
  return rule;
}

TransportRule TransportRule::linear(double epsilon) {
  TransportRule rule = of(straight, constant(epsilon));
  rule.known = Known::kLinear;
  rule.epsilon_scale = epsilon;
  return rule;
}

TransportRule TransportRule::linear_growing(double epsilon) {
  TransportRule rule = of(straight, [epsilon](double t) { return epsilon * t; });
  rule.known = Known::kLinearGrowing;
  rule.epsilon_scale = epsilon;
  return rule;
}

TransportRule TransportRule::stochastic(double epsilon, double gamma_scale) {
  return of(
      [gamma_scale](double t) {
        SchedulePoint point = straight(t);
        const double gamma = gamma_scale * t * (1.0 - t);
        point.gamma_squared = gamma * gamma;
        point.gamma_squared_rate = 2.0 * gamma * gamma_scale * (1.0 - 2.0 * t);
        return point;
      },
      constant(epsilon));
}

TransportRule TransportRule::trigonometric(double epsilon) {
  return of(
      [](double t) {
        const double angle = M_PI_2 * t;
        return SchedulePoint{std::cos(angle), std::sin(angle), -M_PI_2 * std::sin(angle), M_PI_2 * std::cos(angle)};
      },
      constant(epsilon));
}

TransportRule TransportRule::polynomial(double epsilon, double power) {
  return of(
      [power](double t) {
        const double beta = std::pow(t, power), rate = power * std::pow(t, power - 1.0);
        return SchedulePoint{1.0 - beta, beta, -rate, rate};
      },
      constant(epsilon));
}

TransportRule TransportRule::diffusion(double epsilon) {
  TransportRule rule = of(
      [](double t) {
        SchedulePoint point = straight(t);
        point.gamma_squared = t * (1.0 - t);
        point.gamma_squared_rate = 1.0 - 2.0 * t;
        return point;
      },
      constant(epsilon));
  rule.gamma_like_noise = true;
  rule.known = Known::kDiffusion;
  rule.epsilon_scale = epsilon;
  return rule;
}

TransportRule TransportRule::posterior() {
  TransportRule rule;
  rule.posterior_sampling = true;
  return rule;
}

}  // namespace unchannel::theory
