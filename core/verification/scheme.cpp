#include "scheme.hpp"

#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/theory/contraction.hpp>

namespace unchannel::verification {
namespace {

/// σ of y = x + σ n, 0 for any other channel.
double noise_sigma_of(const theory::LinearChannel& channel) { return channel.additive() && channel.white() ? std::sqrt(channel.noise_DD(0, 0)) : 0.0; }

InterpolantSettings interpolant_of(const theory::TheorySettings& settings, double epsilon, double noise_sigma, std::int64_t time_levels) {
  InterpolantSettings interpolant;
  const bool stochastic = settings.interpolant == "stochastic";
  interpolant.kind = stochastic ? "linear" : settings.interpolant;
  interpolant.power = settings.power;
  interpolant.gamma = stochastic ? "quadratic" : "none";
  interpolant.gamma_scale = settings.gamma_scale;
  interpolant.epsilon = epsilon;
  interpolant.epsilon_schedule = settings.epsilon_schedule;
  interpolant.noise_sigma = noise_sigma;
  interpolant.time_levels = time_levels;
  return interpolant;
}

Scheme scheme_of(std::string name, const theory::GaussianProblem& problem, const theory::TheorySettings& settings, double epsilon,
                 std::int64_t time_levels) {
  Scheme scheme{std::move(name), {}, problem, interpolant_of(settings, epsilon, noise_sigma_of(problem.channel), time_levels)};
  scheme.text = epsilon > 0.0 ? fmt::format("{}, SDE with epsilon {:g}{}", settings.interpolant, epsilon, settings.epsilon_schedule == "linear" ? " t" : "")
                              : settings.interpolant + ", ODE";
  if (epsilon == 0.0) scheme.problem.rule = theory::ode_of(problem.rule);
  return scheme;
}

Scheme em_of(std::string name, const theory::GaussianProblem& problem, std::int64_t time_levels) {
  Scheme scheme = scheme_of(std::move(name), problem, theory::TheorySettings(), 0.0, time_levels);  // the linear path
  scheme.text = "EM";
  scheme.problem.rule = theory::TransportRule::posterior();
  scheme.interpolant.epsilon_schedule = "posterior";  // linear with epsilon = t sigma^2: docs/theory/gaussian_recursion.md
  return scheme;
}

void check_engine_can(const theory::GaussianProblem& problem, const theory::TheorySettings& settings) {
  const bool awgn = noise_sigma_of(problem.channel) > 0.0;
  check<ConfigError>(problem.over_relaxation == 1.0,
                     "verify: theory.over_relaxation = {:g} moves means and covariances, the engine's scsi.over_relaxation moves samples. Set it to 1.",
                     problem.over_relaxation);
  check<ConfigError>(awgn || settings.epsilon_word != "em",
                     "verify: theory.epsilon = \"em\" needs y = x + sigma n, the channel whose posterior transport the engine knows. Leave theory.operator "
                     "out and make theory.noise_covariance a multiple of the identity, or choose a number.");
  check<ConfigError>(awgn || settings.interpolant != "fokker_planck",
                     "verify: theory.interpolant = \"fokker_planck\" is trained for y = x + sigma n only. Leave theory.operator out and make "
                     "theory.noise_covariance a multiple of the identity, or choose \"linear\".");
  check<ConfigError>(awgn || settings.interpolant == "stochastic" || settings.epsilon == 0.0,
                     "verify: theory.epsilon = {:g} with theory.interpolant = \"{}\" needs the score, which the engine knows for y = x + sigma n "
                     "only. Choose \"stochastic\", whose denoiser is learnt, or theory.epsilon = 0.",
                     settings.epsilon, settings.interpolant);
}

}  // namespace

std::vector<Scheme> schemes_of(const theory::GaussianProblem& problem, const theory::TheorySettings& settings, std::int64_t time_levels) {
  check_engine_can(problem, settings);
  const bool em = settings.epsilon_word == "em";
  std::vector<Scheme> schemes;
  schemes.push_back(em ? em_of("configured", problem, time_levels) : scheme_of("configured", problem, settings, settings.epsilon, time_levels));
  if (em || settings.epsilon > 0.0) schemes.push_back(scheme_of("ode", problem, settings, 0.0, time_levels));
  if (!em && noise_sigma_of(problem.channel) > 0.0) schemes.push_back(em_of("em", problem, time_levels));
  return schemes;
}

}  // namespace unchannel::verification
