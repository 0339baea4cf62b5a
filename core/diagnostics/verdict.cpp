#include "verdict.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include <unchannel/metrics/normal_quantile.hpp>

namespace unchannel::diagnostics {
namespace {

constexpr double kSignificant = 0.05;
constexpr double kEnoughPower = 0.8;
constexpr double kMemorised = 0.15;  // what scsi.early_stop recommends

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::optional<Verdict> over_iterated(const Facts& facts) {
  const std::string remedy =
      "Restart with scsi.early_stop = 0.15, fewer scsi.steps, a smaller network or more training rows; the run's last weights are past "
      "their best.";
  if (facts.residual_rise.significant && facts.residual_excess >= kMemorised) {
    return Verdict{
        Word::kOverIterated,
        fmt::format(
            "restorations change held-out observations by {} more than training rows, and the difference has risen: the network learns its "
            "rows by heart",
            percent(facts.residual_excess)),
        remedy};
  }
  if (facts.gap_rise.significant && facts.gap_rise.height >= tolerance(facts)) {
    return Verdict{Word::kOverIterated,
                   fmt::format("the gap on early-stop observations has risen by {} of their spread above its least value",
                               percent(facts.gap_rise.height)),
                   remedy};
  }
  return std::nullopt;
}

std::string rate_in_words(const Contraction& c) {
  return fmt::format("rate {:.3f} per outer iteration, 95 % interval {:.3f} to {:.3f}", c.rate, c.rate_low, c.rate_high);
}

/// A verdict unless the outer iteration has come to rest.
std::optional<Verdict> in_motion(const Facts& facts) {
  const Contraction& c = *facts.contraction;
  const double limit = tolerance(facts);
  if (c.moved && c.rate_high < 1 && c.remaining > limit) {
    const double iterations = std::ceil(c.iterations_to(limit)), steps = std::ceil(iterations * facts.steps_per_outer);
    return Verdict{
        Word::kStillContracting,
        fmt::format("{}; {} of the spread remain, about {:.0f} more outer iterations", rate_in_words(c), percent(c.remaining), iterations),
        fmt::format("Train longer: about {:.0f} more steps at the present learning rate.", steps)};
  }
  if (c.ahead_high <= limit) return std::nullopt;
  if (c.moved) {
    return Verdict{
        Word::kCannotTell,
        fmt::format("the simulated observations still move, and whether the movement slows down is not clear ({})", rate_in_words(c)),
        "Train twice as long (scsi.steps)."};
  }
  return Verdict{
      Word::kCannotTell,
      fmt::format(
          "a movement of up to {} of the spread over as many outer iterations again could hide in the jitter of the evaluations, {}",
          percent(c.ahead_high), percent(c.jitter)),
      "Train longer, evaluate more often (run.evaluate_every) or average the weights over more steps (optimiser.ema_horizon_steps)."};
}

std::string gap_in_words(const GapTest& t) {
  return fmt::format("gap on test observations {} of their spread, {} of it the fit's own, p = {:.2g}", percent(t.gap), percent(t.fit_gap),
                     t.p_value);
}

/// Held-out rows of each split with which the power would be enough, rounded up to a hundred: the standard errors by which a difference of
/// the margin stands out, those of the test's own threshold added, grow with the root of the rows.
std::int64_t rows_for_power(const Facts& facts) {
  const double threshold = metrics::normal_quantile(1 - kSignificant), standing_out = threshold + metrics::normal_quantile(std::max(facts.test->power, 0.1));
  const double rows = static_cast<double>(facts.held_out_rows) * std::pow((threshold + metrics::normal_quantile(kEnoughPower)) / standing_out, 2);
  return static_cast<std::int64_t>(std::ceil(rows / 100)) * 100;
}

std::optional<Verdict> unexplained(const Facts& facts) {
  if (!facts.contraction || !facts.test) return std::nullopt;
  const GapTest& t = *facts.test;
  double left = t.excess * (1 - facts.contraction->closing_high);
  // At rest no coordinate moves by more than that, whatever share of the gap of a few hundred rows it may be.
  if (!in_motion(facts)) left = std::max(left, t.excess - facts.contraction->ahead_high);
  if (t.p_value >= kSignificant || t.excess <= t.gap / 2 || !(left > facts.margin)) return std::nullopt;
  return Verdict{Word::kUnexplained,
                 fmt::format("{}; as many outer iterations again would leave {} of the spread or more", gap_in_words(t), percent(left)),
                 "No law of signals that this model can hold explains the observations through this simulator. Check its noise level, its "
                 "kernel and its other parameters against calibration data; with model.space = \"basis\" try more start.components first."};
}

Verdict at_rest(const Facts& facts) {
  const GapTest& t = *facts.test;
  const std::string words = gap_in_words(t);
  if (t.gap - 1.96 * t.error > facts.margin && t.fit_gap > tolerance(facts)) {
    return {Word::kStalled, words + "; the outer iteration has come to rest, and the network misses its own simulations alike",
            "The fit is what limits: a larger network, a higher learning rate, more transport steps or a longer training."};
  }
  if (t.power < kEnoughPower) {
    return {Word::kCannotTell,
            fmt::format("{}; a difference of {} would be found in {:.0f} % of such runs only", words, percent(facts.margin), 100 * t.power),
            fmt::format("Raise data.early_stop_rows and data.test_rows to about {}, or verdict.margin.", rows_for_power(facts))};
  }
  if (t.gap > facts.margin) {
    if (t.p_value >= kSignificant)
      return {Word::kCannotTell, words + "; more than the margin, but not significant", "Raise data.early_stop_rows and data.test_rows."};
    return {Word::kCannotTell, words + "; more than the margin, but not enough of it is beyond the fit's own and at rest",
            "Train longer (scsi.steps)."};
  }
  return {Word::kConverged,
          fmt::format("{}; a difference of {} would be found in {:.0f} % of such runs", words, percent(facts.margin), 100 * t.power), ""};
}

}  // namespace

double tolerance(const Facts& facts) { return facts.margin / 2; }

const char* to_string(Word word) {
  switch (word) {
    case Word::kConverged:
      return "converged";
    case Word::kStillContracting:
      return "still contracting";
    case Word::kStalled:
      return "stalled";
    case Word::kOverIterated:
      return "over-iterated";
    case Word::kUnexplained:
      return "simulator does not explain the data";
    case Word::kCannotTell:
      break;
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
