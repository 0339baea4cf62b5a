#include "analysis.hpp"

#include <cmath>

namespace unchannel::theory {
namespace {

std::optional<std::int64_t> iterations_from(GaussianProblem problem, const Gaussian& start) {
  problem.initial = start;
  const auto near = [](const Iterate& iterate) { return iterate.kl_nats <= IterationsToSignal::kNearNats; };
  const auto iterates = iterate(problem, IterationsToSignal::kMostIterations, near);
  if (!near(iterates.back())) return std::nullopt;
  return static_cast<std::int64_t>(iterates.size()) - 1;
}

}  // namespace

double Analysis::em_iterations_per_ode() const { return std::log(ode_contraction.kl_rate) / std::log(em_contraction.kl_rate); }

Analysis analyse(const TheoryCase& theory_case) {
  const GaussianProblem& problem = theory_case.problem;
  GaussianProblem em = problem;
  em.rule = TransportRule::posterior();
  em.over_relaxation = 1.0;
  const Matrix& signal_DD = problem.signal.covariance_DD;
  Analysis analysis;
  analysis.iterates = iterate(problem, theory_case.iterations);
  analysis.em = iterate(em, theory_case.iterations);
  analysis.contraction = contraction(problem.rule, problem.channel, signal_DD, problem.over_relaxation);
  analysis.ode_contraction = contraction(ode_of(problem.rule), problem.channel, signal_DD);
  analysis.em_contraction = contraction(em.rule, problem.channel, signal_DD);
  analysis.uniform = uniform_contraction(problem);
  analysis.relaxation = relaxation(problem.rule, problem.channel, signal_DD);
  analysis.bound = theorem_bound(problem, analysis.iterates);
  analysis.limits = error_limits(problem);
  // A mean that moves away, as behind a negative gain, would only grow until it cannot be represented.
  if (contraction(problem.rule, problem.channel, signal_DD).mean_rate < 1.0) {
    GaussianProblem plain = problem;
    plain.over_relaxation = 1.0;
    analysis.to_signal.from_initial = iterations_from(plain, problem.initial);
    analysis.to_signal.from_observations = iterations_from(plain, problem.channel.observe(problem.signal));
  }
  analysis.to_signal.by_em = iterations_from(em, problem.initial);
  return analysis;
}

}  // namespace unchannel::theory
