#include "recursion.hpp"

#include <Eigen/Cholesky>

#include <unchannel/base/error.hpp>

namespace unchannel::theory {
namespace {

Iterate measured(const GaussianProblem& problem, Gaussian law) {
  Iterate result;
  result.kl_nats = kl_nats(problem.signal, law);
  result.w2 = w2(problem.signal, law);
  result.law = std::move(law);
  return result;
}

}  // namespace

Gaussian step(const GaussianProblem& problem, const Gaussian& iterate) {
  const Matrix gain_DD = transport_gain(problem.rule, problem.channel, iterate.covariance_DD) * problem.channel.operator_DD;
  const Matrix missing_DD = problem.signal.covariance_DD - iterate.covariance_DD;
  Gaussian next;
  next.mean_D = iterate.mean_D + problem.over_relaxation * gain_DD * (problem.signal.mean_D - iterate.mean_D);
  next.covariance_DD = symmetric_part(iterate.covariance_DD + problem.over_relaxation * gain_DD * missing_DD * gain_DD.transpose());
  check<NumericalError>(next.mean_D.allFinite() && next.covariance_DD.allFinite(),
                        "theory: the iteration diverged beyond the range of numbers. Lower "
                        "theory.over_relaxation or theory.iterations.");
  check<NumericalError>(
      Eigen::LLT<Matrix>(next.covariance_DD).info() == Eigen::Success,
      "theory: with over_relaxation = {:g} an iterate's covariance is no longer positive definite (smallest eigenvalue {:g}). Lower "
      "theory.over_relaxation; 1 always works.",
      problem.over_relaxation, least_eigenvalue(next.covariance_DD));
  return next;
}

std::vector<Iterate> iterate(const GaussianProblem& problem, std::int64_t count, const std::function<bool(const Iterate&)>& stop) {
  std::vector<Iterate> iterates = {measured(problem, problem.initial)};
  while (static_cast<std::int64_t>(iterates.size()) <= count && !(stop && stop(iterates.back()))) {
    iterates.push_back(measured(problem, step(problem, iterates.back().law)));
  }
  return iterates;
}

}  // namespace unchannel::theory
