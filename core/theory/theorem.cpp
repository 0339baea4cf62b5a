#include "theorem.hpp"

#include <fmt/format.h>
#include <cmath>

namespace unchannel::theory {
namespace {

/// Corollary 1 calls for L = 0: what rounding and quadrature leave of it.
constexpr double kNoSensitivity = 1e-9;

std::string reason_of(const GaussianProblem& problem, const TheoremBound& bound) {
  if (std::isnan(bound.chi.iterates)) return "every iterate equals the signal: there is nothing to bound";
  if (problem.over_relaxation != 1.0) return "Theorem 1 is about over_relaxation = 1";
  if (problem.rule.posterior_sampling) {
    return fmt::format("posterior sampling: KL falls at least by the factor 1 - 1/chi = {:.6g} (Corollary 1)", bound.rate);
  }
  if (problem.rule.epsilon(0.5) == 0.0) return "Theorem 1 needs epsilon > 0; for the ODE there is no such bound";
  if (!std::isfinite(bound.rate)) return "epsilon(t) vanishes at an end where drifts differ: the bound is infinite";
  if (bound.iterates.drift_term <= kNoSensitivity) {
    return fmt::format("L = 0: the reverse of the channel's own diffusion, Corollary 1, with the factor 1 - 1/chi = {:.6g}", bound.rate);
  }
  const double four_epsilon = bound.iterates.lipschitz / bound.iterates.drift_term;
  return fmt::format("L = {:.4g} is {} 4 epsilon/chi = {:.4g}: {}", bound.iterates.lipschitz, bound.applies ? "below" : "not below",
                     four_epsilon / bound.chi.iterates, bound.applies ? "Theorem 1 applies" : "Theorem 1 says nothing here");
}

}  // namespace

TheoremBound theorem_bound(const GaussianProblem& problem, const std::vector<Iterate>& iterates) {
  TheoremBound bound;
  bound.chi = condition_number(problem, iterates);
  const bool has_drift = !problem.rule.posterior_sampling;
  bound.local = bound.iterates = {std::nan(""), std::nan("")};
  if (has_drift) {
    bound.local = local_drift_sensitivity(problem);
    for (const Iterate& iterate : iterates) {
      const DriftSensitivity one = drift_sensitivity(problem, iterate);
      bound.iterates.lipschitz = std::fmax(bound.iterates.lipschitz, one.lipschitz);
      bound.iterates.drift_term = std::fmax(bound.iterates.drift_term, one.drift_term);
    }
  }
  bound.local_rate = 1.0 + (has_drift ? bound.local.drift_term : 0.0) - 1.0 / bound.chi.local;
  bound.rate = 1.0 + (has_drift ? bound.iterates.drift_term : 0.0) - 1.0 / bound.chi.iterates;
  bound.applies = bound.rate < 1.0 && problem.over_relaxation == 1.0;
  bound.reason = reason_of(problem, bound);
  if (std::isfinite(bound.rate)) {
    for (std::size_t k = 0; k < iterates.size(); ++k) {
      bound.kl_nats.push_back(2.0 * std::pow(bound.rate, static_cast<double>(k)) * iterates.front().kl_nats);
    }
  }
  return bound;
}

}  // namespace unchannel::theory
