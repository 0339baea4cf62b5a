#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <unchannel/identification/finding.hpp>

namespace unchannel::identification_study {

/// What the channel of a case has as its unknown parameter: the deviation of white noise, or the width of a Gaussian kernel on a circle.
enum class Parameter { kNoise, kWidth };
/// Gaussian signals; positive ones, most of them near zero: squares of normal numbers; or Gaussian ones in half of the directions.
enum class Signals { kGaussian, kPositive, kHalf };

/// One kind of run. Signals and observations have 8 elements on a circle, the simulator is a kernel on it and white noise.
struct Case {
  std::string name;
  std::uint64_t first_seed;  ///< of the registered runs: first_seed … first_seed + runs − 1, written down before they were run
  int runs;                  ///< registered
  Parameter parameter;
  Signals signals;
  std::string constraint;
  double truth;      ///< of the parameter
  double low, high;  ///< of its prior
  std::string refit = "start";
};

const std::vector<Case>& cases();
const Case& case_named(const std::string& name);

struct Outcome {
  identification::Finding finding;
  identification::Profile profile;
};

/// Makes data of this seed, trains at every value of the profile with the engine and says what was found.
Outcome run(const Case& study, std::uint64_t seed);

/// What one training at one assumed value comes to: the excess of the gap beyond the margin in standard errors, and whether it is rejected
/// at 95 % by the gap. For the table of mismatches.
struct Mismatch {
  double excess = 0, error = 0;
  bool flagged = false;
};
Mismatch mismatch(const Case& study, double assumed, std::uint64_t seed);

}  // namespace unchannel::identification_study
