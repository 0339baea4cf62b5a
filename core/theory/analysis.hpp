#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "contraction.hpp"
#include "error_limits.hpp"
#include "recursion.hpp"
#include "settings.hpp"
#include "theorem.hpp"

namespace unchannel::theory {

/// Iterations until KL(signal ‖ iterate) ≤ kNearNats; none when kMostIterations are not enough.
struct IterationsToSignal {
  static constexpr double kNearNats = 1e-3;
  static constexpr std::int64_t kMostIterations = 1000;
  std::optional<std::int64_t> from_initial, from_observations, by_em;
};

/// Everything that `unchannel theory` says about a case.
struct Analysis {
  std::vector<Iterate> iterates;
  std::vector<Iterate> em;  ///< posterior sampling from the same start, not over-relaxed
  Contraction contraction, ode_contraction, em_contraction;
  std::optional<UniformContraction> uniform;
  Relaxation relaxation;
  TheoremBound bound;
  ErrorLimits limits;
  IterationsToSignal to_signal;

  /// How many iterations of EM one of the ODE is worth near the signal: the ratio of the logarithms of their KL rates.
  double em_iterations_per_ode() const;
};
Analysis analyse(const TheoryCase& theory_case);

/// The figures for machines; units in the keys, numbers that are not finite as null. docs/reference/theory.md lists the keys.
nlohmann::json to_json(const Analysis& analysis);

/// `mean` and `covariance`, a list of rows: the same wherever a law is written.
nlohmann::json to_json(const Gaussian& law);

}  // namespace unchannel::theory
