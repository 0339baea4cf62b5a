#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <unchannel/diagnostics/run_verdict.hpp>

namespace unchannel::verdict_study {

/// What the verdict has to say: of runs that converged; of simulators that cannot explain the data; of such that can, though they are
/// wrong.
enum class Expected { kConverged, kUnexplained, kNoClaim };

/// One kind of run. Signals and observations have 12 elements on a circle; the simulator is a kernel on it and white noise.
struct Case {
  std::string name;
  Expected expected;
  std::uint64_t first_seed;  ///< of the registered runs: first_seed … first_seed + kRegisteredRuns − 1, written down before they were run
  std::vector<double> true_gains;  ///< of the kernel that made the data, at the frequencies 0 … 6
  double true_sigma;
  std::vector<double> assumed_gains;  ///< of the kernel that the training is told
  double assumed_sigma;
  std::int64_t signal_components = 12;  ///< leading Fourier components that hold signal
  bool two_humps = false;               ///< signals of two humps along the first two components, else Gaussian
  bool unfinished = false;              ///< starts from the observations and stops after 160 of 400 steps
};

constexpr std::uint64_t kRegisteredRuns = 50;

const std::vector<Case>& cases();

/// Makes data of this seed, trains on them for about a second with the engine and judges the run.
diagnostics::RunVerdict run(const Case& study, std::uint64_t seed);

}  // namespace unchannel::verdict_study
