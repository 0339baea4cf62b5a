#pragma once

#include <string>
#include <vector>

#include <unchannel/interpolant/interpolant.hpp>
#include <unchannel/theory/settings.hpp>

namespace unchannel::verification {

/// One way to transport: as the theory integrates it and as the engine is configured for it.
struct Scheme {
  std::string name;  ///< "configured", "ode" or "em"
  std::string text;  ///< what it is, for people
  theory::GaussianProblem problem;
  InterpolantSettings interpolant;
};

/// `problem` and `settings` of one `[theory]` table. The configured scheme, its ODE where it is an SDE, and EM where the engine has the exact posterior transport (y = x + σ n).
/// Throws ConfigError for what the engine cannot do: an SDE along linear or fokker_planck through another channel, whose score it cannot know;
/// over-relaxation, which moves samples where the theory moves moments.
std::vector<Scheme> schemes_of(const theory::GaussianProblem& problem, const theory::TheorySettings& settings, std::int64_t time_levels);

}  // namespace unchannel::verification
