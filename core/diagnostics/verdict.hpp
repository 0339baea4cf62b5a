#pragma once

#include <optional>
#include <string>
#include <vector>

#include "contraction.hpp"
#include "gap_test.hpp"
#include "trajectory.hpp"

namespace unchannel::diagnostics {

enum class Word { kConverged, kStillContracting, kStalled, kOverIterated, kUnexplained, kCannotTell };

/// "converged", "still contracting", "stalled", "over-iterated", "simulator does not explain the data", "cannot tell".
const char* to_string(Word word);

/// What a verdict is based on.
struct Facts {
  std::optional<Contraction> contraction;  ///< none: `obstacle` says why
  std::optional<GapTest> test;             ///< none: `obstacle` says why
  std::string obstacle;                    ///< ends in a full stop
  std::string obstacle_remedy;
  Rise gap_rise;               ///< of the early-stop gap
  Rise residual_rise;          ///< of the held-out residual excess
  double residual_excess = 0;  ///< at the last evaluation
  double margin = 0.1;
  double steps_per_outer = 0;      ///< inner steps of one outer iteration
  std::int64_t held_out_rows = 0;  ///< of the smaller of the early-stop and the test split
};

struct Verdict {
  Word word = Word::kCannotTell;
  std::string reason;  ///< with the figures
  std::string remedy;  ///< empty where nothing is to be done
};

/// Movements below half the margin cannot bring a gap across it by themselves: a law that will not move by more is at rest.
double tolerance(const Facts& facts);

/// The rules of docs/theory/verdict.md, in order. The simulator does not explain the data: p < 0.05, excess more than half of the gap, and
/// above the margin even after as many outer iterations again. Over-iterated. Still contracting. Not at rest, and no rate: cannot tell.
/// Stalled: a gap above the margin that the fit itself shows. Converged: gap within the margin, power of at least 0.8. Else cannot tell.
Verdict judge(const Facts& facts);

}  // namespace unchannel::diagnostics
