#include "claims.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace unchannel::verification {
namespace {

Claim iterates_claim(const SchemeResult& result) {
  Claim claim{"iterates", fmt::format("{}: means and covariances of all iterates are those of the recursion", result.scheme.text)};
  claim.tolerance = 1.0;
  for (std::size_t k = 1; k < result.measured.size(); ++k) {
    const MeasuredIterate& m = result.measured[k];
    claim.measured = std::max({claim.measured, m.mean_error / m.mean_tolerance, m.covariance_error / m.covariance_tolerance});
  }
  claim.holds = claim.measured <= claim.tolerance;  // not a number: false
  return claim;
}

/// ln(W2_k/W2_0)/k, measured and predicted, and what the measured one may be wrong by.
struct Rate {
  double predicted, measured, tolerance;
};

Rate rate_until(const SchemeResult& result, std::int64_t k) {
  const auto i = static_cast<std::size_t>(k);
  const auto steps = static_cast<double>(k);
  const MeasuredIterate &first = result.measured.front(), &last = result.measured[i];
  return {std::log(result.predicted[i].w2 / result.predicted.front().w2) / steps, std::log(last.w2 / first.w2) / steps,
          (last.w2_error / result.predicted[i].w2 + first.w2_error / result.predicted.front().w2) / steps};
}

Claim linear_claim(const SchemeResult& result) {
  Claim claim{"linear convergence", fmt::format("{}: no step's factor of W2 is above the slowest one predicted", result.scheme.text)};
  claim.tested = result.usable >= 1;
  if (!claim.tested) return claim;
  double worst = -1.0;
  for (std::int64_t k = 0; k < result.usable; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const double predicted = result.predicted[i + 1].w2 / result.predicted[i].w2, measured = result.measured[i + 1].w2 / result.measured[i].w2;
    const double tolerance = predicted * (result.measured[i].w2_error / result.predicted[i].w2 + result.measured[i + 1].w2_error / result.predicted[i + 1].w2);
    claim.predicted = std::max(claim.predicted, predicted);
    worst = std::max(worst, measured - tolerance);
    if (measured > claim.measured) {
      claim.measured = measured;
      claim.tolerance = tolerance;
    }
  }
  claim.holds = worst <= claim.predicted;
  return claim;
}

Claim rate_claim(const SchemeResult& result) {
  Claim claim{"rate", fmt::format("{}: mean logarithm of the factor of W2 over {} steps", result.scheme.text, result.usable)};
  claim.tested = result.usable >= 1;
  if (!claim.tested) return claim;
  const Rate rate = rate_until(result, result.usable);
  claim.predicted = rate.predicted;
  claim.measured = rate.measured;
  claim.tolerance = rate.tolerance;
  claim.holds = std::abs(rate.measured - rate.predicted) <= rate.tolerance;
  return claim;
}

/// How much faster `faster` goes than `other`, in ln W2 a step.
Claim difference_claim(std::string name, const SchemeResult& faster, const SchemeResult& other) {
  const std::int64_t usable = std::min(faster.usable, other.usable);
  Claim claim{std::move(name), fmt::format("{} less {}: mean logarithm of the factor of W2 over {} steps", faster.scheme.text, other.scheme.text, usable)};
  claim.tested = usable >= 1;
  if (!claim.tested) return claim;
  const Rate a = rate_until(faster, usable), b = rate_until(other, usable);
  claim.predicted = a.predicted - b.predicted;
  claim.measured = a.measured - b.measured;
  claim.tolerance = a.tolerance + b.tolerance;
  claim.holds = std::abs(claim.measured - claim.predicted) <= claim.tolerance;
  return claim;
}

const SchemeResult* find(const std::vector<SchemeResult>& results, const std::string& name) {
  const auto found = std::find_if(results.begin(), results.end(), [&](const SchemeResult& result) { return result.scheme.name == name; });
  return found == results.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Claim> claims_of(const std::vector<SchemeResult>& results) {
  std::vector<Claim> claims;
  for (const SchemeResult& result : results) {
    claims.push_back(iterates_claim(result));
    claims.push_back(linear_claim(result));
    claims.push_back(rate_claim(result));
  }
  const SchemeResult &configured = results.front(), *ode = find(results, "ode"), *em = find(results, "em");
  if (ode) claims.push_back(difference_claim(configured.scheme.problem.rule.posterior_sampling ? "ODE against EM" : "ODE against SDE", *ode, configured));
  if (em) claims.push_back(difference_claim(ode ? "ODE against EM" : "configured against EM", ode ? *ode : configured, *em));
  return claims;
}

}  // namespace unchannel::verification
