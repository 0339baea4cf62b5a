#include "finding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/core.h>

#include <unchannel/metrics/normal_quantile.hpp>

namespace unchannel::identification {
namespace {

constexpr double kOpen = std::numeric_limits<double>::quiet_NaN();

std::string what_identifies(const UnknownSettings& unknown) {
  if (unknown.constraint == "signal_free") return "signals without a component in the declared subspace";
  if (unknown.constraint == "range") return "signals within the declared range";
  if (unknown.constraint == "calibration") return "observations of known signals";
  return "the gap alone";
}

Finding unexplained(const UnknownSettings& unknown) {
  Finding finding{Word::kUnexplained, kOpen, kOpen, kOpen, 0, {}, {}};
  finding.reason = fmt::format("every {} from {:.4g} to {:.4g} is rejected at {:g} %", unknown.parameter, unknown.low, unknown.high,
                               100 * unknown.level);
  finding.remedy =
      "The simulator is wrong in something else, the constraint does not hold, or the range is too narrow: check the other parameters, "
      "widen "
      "unknown.low and unknown.high, or train longer (unknown.refit_steps).";
  return finding;
}

Finding all_accepted(const UnknownSettings& unknown) {
  Finding finding{Word::kNotIdentifiable, kOpen, kOpen, kOpen, 1, {}, {}};
  finding.reason =
      fmt::format("no {} from {:.4g} to {:.4g} is rejected; unknown signals absorb each", unknown.parameter, unknown.low, unknown.high);
  finding.remedy = unknown.constraint == "none"
                       ? "Declare what is known of the signals, or add observations of known ones (unknown.constraint)."
                       : "More observations, a stronger constraint, or a wider range.";
  return finding;
}

/// Accepted values that end on both sides inside the range.
Finding closed(const Accepted& accepted, const FineProfile& fine, const UnknownSettings& unknown) {
  const std::string words = fmt::format("{} below {:.4g} and above {:.4g} are rejected at {:g} %, by {}", unknown.parameter, accepted.low,
                                        accepted.high, 100 * unknown.level, what_identifies(unknown));
  if (unknown.constraint == "none") {
    return {Word::kNotIdentifiable,
            accepted.low,
            accepted.high,
            kOpen,
            accepted.ranges,
            words + "; without a declared constraint such an end may rest on what this model can hold",
            "Declare what identifies it (unknown.constraint)."};
  }
  return {Word::kInterval, accepted.low, accepted.high, fine.quantile(0.5), accepted.ranges, words, ""};
}

Finding one_sided(const Accepted& accepted, const UnknownSettings& unknown) {
  const std::string end =
      "For an interval declare what identifies the other side (unknown.constraint); widen the range if its end is no bound.";
  const auto words = [&](const char* side, double limit, const char* others) {
    return fmt::format("{} {} {:.4g} is rejected at {:g} %, by {}; {} end of the range is not", unknown.parameter, side, limit,
                       100 * unknown.level, what_identifies(unknown), others);
  };
  if (accepted.to_the_low) {
    return {
        Word::kUpperLimit, kOpen, accepted.high, kOpen, accepted.ranges, words("above", accepted.high, "what is below down to the"), end};
  }
  return {Word::kLowerLimit, accepted.low, kOpen, kOpen, accepted.ranges, words("below", accepted.low, "what is above up to the"), end};
}

/// From where the gap's excess, drawn on as a straight line from the two lowest rejected points, is zero, less its error, to the upper
/// limit. None where fewer than two points above the accepted values are rejected.
std::optional<Finding> largest(const Profile& profile, const Accepted& accepted, const UnknownSettings& unknown) {
  const auto first = std::ranges::find_if(profile.points, [&](const ProfilePoint& point) { return point.value >= accepted.high; });
  if (profile.points.end() - first < 2) return std::nullopt;
  const Discrepancy near = combined(*first, 0), far = combined(*(first + 1), 0);
  const double slope = (far.excess - near.excess) / ((first + 1)->value - first->value);
  if (!(slope > 0)) return std::nullopt;
  const double edge = first->value - near.excess / slope;
  const double reach = metrics::normal_quantile(unknown.level) * near.error / slope;
  Finding finding{
      Word::kInterval, std::max(unknown.low, edge - reach), accepted.high, std::max(unknown.low, edge), accepted.ranges, {}, {}};
  finding.reason = fmt::format(
      "the gap begins to rise at {} = {:.4g} and is beyond the margin from {:.4g} on; the largest value that the data allow is "
      "taken for the true one by declaration",
      unknown.parameter, edge, accepted.high);
  return finding;
}

/// Central interval of prior times profile.
Finding weighted(const FineProfile& fine, const UnknownSettings& unknown) {
  const double tail = (1 - unknown.level) / 2;
  Finding finding{Word::kInterval, fine.quantile(tail), fine.quantile(1 - tail), fine.quantile(0.5), 1, {}, {}};
  const double prior = 2 * metrics::normal_quantile(1 - tail) * unknown.deviation;
  finding.reason = fmt::format("{:g} % of the prior's weight, less what the gap rejects; {:.2g} of the width that the prior alone has",
                               100 * unknown.level, (finding.high - finding.low) / prior);
  return finding;
}

}  // namespace

const char* to_string(Word word) {
  switch (word) {
    case Word::kInterval:
      return "interval";
    case Word::kUpperLimit:
      return "only an upper limit";
    case Word::kLowerLimit:
      return "only a lower limit";
    case Word::kUnexplained:
      return "no value explains the data";
    case Word::kNotIdentifiable:
      break;
  }
  return "not identifiable";
}

Finding judge(const Profile& profile, const UnknownSettings& unknown) {
  const FineProfile fine = read_finely(profile, Prior(unknown));
  const Accepted accepted = accepted_values(fine);
  if (!accepted.any) return unexplained(unknown);
  if (unknown.constraint == "prior") return weighted(fine, unknown);
  if (accepted.to_the_low && accepted.to_the_high) return all_accepted(unknown);
  if (unknown.constraint == "largest" && !accepted.to_the_high) {
    if (const auto finding = largest(profile, accepted, unknown)) return *finding;
  }
  if (!accepted.to_the_low && !accepted.to_the_high) return closed(accepted, fine, unknown);
  return one_sided(accepted, unknown);
}

}  // namespace unchannel::identification
