#include "verdict.hpp"

#include <cmath>

#include <fmt/core.h>

namespace unchannel::diagnostics {
namespace {

constexpr double kSignificant = 0.05;
constexpr double kEnoughPower = 0.8;
constexpr double kMemorised = 0.15;  // what scsi.early_stop recommends

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::optional<Verdict> over_iterated(const Facts& facts) {
  const std::string remedy =
      "Restart with scsi.early_stop = 0.15, fewer scsi.steps, a smaller network or more training rows; the run's last weights are past their best.";
  if (facts.residual_rise.significant && facts.residual_excess >= kMemorised) {
    return Verdict{Word::kOverIterated,
                   fmt::format("restorations change held-out observations by {} more than training rows, and the difference has risen: the network learns its "
                               "rows by heart",
                               percent(facts.residual_excess)),
                   remedy};
  }
  if (facts.gap_rise.significant && facts.gap_rise.height >= tolerance(facts)) {
    return Verdict{Word::kOverIterated,
                   fmt::format("the gap on early-stop observations has risen by {} of their spread above its least value", percent(facts.gap_rise.height)), remedy};
  }
  return std::nullopt;
}

std::string rate_in_words(const Contraction& c) { return fmt::format("rate {:.3f} per outer iteration, 95 % interval {:.3f} to {:.3f}", c.rate, c.rate_low, c.rate_high); }

/// A verdict unless the outer iteration has come to rest.
std::optional<Verdict> in_motion(const Facts& facts) {
  const Contraction& c = *facts.contraction;
  const double limit = tolerance(facts);
  if (c.moved && c.rate_high < 1 && c.remaining > limit) {
    const double iterations = std::ceil(c.iterations_to(limit)), steps = std::ceil(iterations * facts.steps_per_outer);
    return Verdict{Word::kStillContracting,
                   fmt::format("{}; {} of the spread remain, about {:.0f} more outer iterations", rate_in_words(c), percent(c.remaining), iterations),
                   fmt::format("Train longer: about {:.0f} more steps at the present learning rate.", steps)};
  }
  if (c.ahead_high <= limit) return std::nullopt;
  if (c.moved) {
    return Verdict{Word::kCannotTell, fmt::format("the simulated observations still move, and whether the movement slows down is not clear ({})", rate_in_words(c)),
                   "Train twice as long (scsi.steps)."};
  }
  return Verdict{Word::kCannotTell,
                 fmt::format("a movement of up to {} of the spread over as many outer iterations again could hide in the jitter of the evaluations, {}",
                             percent(c.ahead_high), percent(c.jitter)),
                 "Train longer, evaluate more often (run.evaluate_every) or average the weights over more steps (optimiser.ema_horizon_steps)."};
}

std::string gap_in_words(const GapTest& t) {
  return fmt::format("gap on test observations {} of their spread, {} of it the fit's own, p = {:.2g}", percent(t.gap), percent(t.fit_gap), t.p_value);
}

std::optional<Verdict> unexplained(const Facts& facts) {
  if (!facts.contraction || !facts.test) return std::nullopt;
  const GapTest& t = *facts.test;
  if (t.p_value >= kSignificant || t.excess <= facts.margin || t.excess <= t.gap / 2 || facts.stuck_gap <= facts.margin) return std::nullopt;
  return Verdict{Word::kUnexplained, fmt::format("{}; of early-stop observations, {} of the spread are at rest", gap_in_words(t), percent(facts.stuck_gap)),
                 "No law of signals that this model can hold explains the observations through this simulator. Check its noise level, its kernel and its other "
                 "parameters against calibration data; with model.space = \"basis\" try more start.components first."};
}

Verdict at_rest(const Facts& facts) {
  const GapTest& t = *facts.test;
  const std::string words = gap_in_words(t);
  if (t.gap - 1.96 * t.error > facts.margin && t.fit_gap > tolerance(facts)) {
    return {Word::kStalled, words + "; the outer iteration has come to rest, and the network misses its own simulations alike",
            "The fit is what limits: a larger network, a higher learning rate, more transport steps or a longer training."};
  }
  if (t.power < kEnoughPower) {
    // Noise falls with the root of the rows; from one half to 0.8 takes the number of standard errors from 1.64 to 2.49.
    return {Word::kCannotTell, fmt::format("{}; a difference of {} would be found in {:.0f} % of such runs only", words, percent(facts.margin), 100 * t.power),
            fmt::format("Raise data.early_stop_rows and data.test_rows, both above {}, or verdict.margin.", facts.held_out_rows)};
  }
  if (t.gap > facts.margin) {
    if (t.p_value >= kSignificant) return {Word::kCannotTell, words + "; more than the margin, but not significant", "Raise data.early_stop_rows and data.test_rows."};
    return {Word::kCannotTell, words + "; more than the margin, but not enough of it is beyond the fit's own and at rest", "Train longer (scsi.steps)."};
  }
  return {Word::kConverged, fmt::format("{}; a difference of {} would be found in {:.0f} % of such runs", words, percent(facts.margin), 100 * t.power), ""};
}

}  // namespace

double tolerance(const Facts& facts) { return facts.margin / 2; }

const char* to_string(Word word) {
  switch (word) {
    case Word::kConverged: return "converged";
    case Word::kStillContracting: return "still contracting";
    case Word::kStalled: return "stalled";
    case Word::kOverIterated: return "over-iterated";
    case Word::kUnexplained: return "simulator does not explain the data";
    case Word::kCannotTell: break;
  }
  return "cannot tell";
}

Verdict judge(const Facts& facts) {
  if (const auto verdict = unexplained(facts)) return *verdict;
  if (const auto verdict = over_iterated(facts)) return *verdict;
  if (!facts.contraction) return {Word::kCannotTell, facts.obstacle, facts.obstacle_remedy};
  if (const auto verdict = in_motion(facts)) return *verdict;
  if (!facts.test) return {Word::kCannotTell, facts.obstacle, facts.obstacle_remedy};
  return at_rest(facts);
}

}  // namespace unchannel::diagnostics
