#include "unknown_settings.hpp"

#include <cmath>
#include <limits>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {
constexpr double kLargest = std::numeric_limits<double>::max();
}

void UnknownSettings::visit(SettingsVisitor& visitor) {
  visitor.text(
      {"parameter",
       "Key of [channel.parameters] whose value is not known; \"\": all are known. `unchannel identify` says what the observations tell "
       "about it; every other command takes the value that stands in [channel.parameters]."},
      parameter);
  visitor.integer({"stage", "channel.id = \"compose\": number of the stage that has the parameter, from 0; -1: the channel itself."}, stage,
                  -1, 63);
  visitor.choice(
      {"prior",
       "What is believed of the value beforehand, between low and high: uniform, log_uniform (uniform in its logarithm) or normal "
       "(mean, deviation). It must be declared; it also says where the profile has its points."},
      prior, {"undeclared", "uniform", "log_uniform", "normal"});
  visitor.number({"low", "Least value that is tried.", "the parameter's"}, low, -kLargest, kLargest);
  visitor.number({"high", "Greatest value that is tried.", "the parameter's"}, high, -kLargest, kLargest);
  visitor.number({"mean", "prior = \"normal\": its mean.", "the parameter's"}, mean, -kLargest, kLargest);
  visitor.number({"deviation", "prior = \"normal\": its standard deviation.", "the parameter's"}, deviation, 0.0, kLargest);
  visitor.choice(
      {"constraint",
       "What makes the value identifiable. It must be declared. none: nothing, and the verdict is never an interval. signal_free: signals "
       "have no component along signal_free_elements and signal_free_directions. range: signals lie between model.signal_min and "
       "model.signal_max. calibration: observations of known signals. largest: the largest value that the data allow is taken for the "
       "true one. prior: the normal prior alone."},
      constraint, {"undeclared", "none", "signal_free", "range", "calibration", "largest", "prior"});
  visitor.integers({"signal_free_elements", "constraint = \"signal_free\": elements, from 0, that are zero in every signal."},
                   signal_free_elements, 0, std::numeric_limits<std::int64_t>::max());
  visitor.matrix(
      {"signal_free_directions",
       "constraint = \"signal_free\": directions along which no signal has a component, a row of as many numbers as a signal has elements "
       "for each."},
      signal_free_directions);
  visitor.text({"calibration_signals", "constraint = \"calibration\": HDF5 file with known /signals."}, calibration_signals);
  visitor.text({"calibration_observations", "constraint = \"calibration\": HDF5 file with their /observations, row by row."},
               calibration_observations);
  visitor.number({"level", "Probability with which the interval holds the value, or the limit is kept.", "1"}, level, 0.5, 0.999);
  visitor.integer({"points", "Values at which a training is made at first, evenly spaced between low and high."}, points, 3, 1000);
  visitor.integer({"refinements", "Times that points are added where the profile crosses its limit."}, refinements, 0, 20);
  visitor.integer({"members", "Trainings with random numbers of their own at each value; their scatter widens the interval."}, members, 1,
                  100);
  visitor.choice(
      {"refit",
       "How every training but the first begins. start: from [start], fitted anew; best with start.kind = \"linear\". weights: from the "
       "weights and restorations of the nearest value below; for starts that are far from the end, with steps enough to come to rest."},
      refit, {"start", "weights"});
  visitor.integer({"refit_steps", "Inner steps of every training but the first; 0: scsi.steps."}, refit_steps, 0,
                  std::numeric_limits<std::int64_t>::max());
  visitor.integer({"worlds", "Sets of observations simulated at each value that say what the statistics would be if the value were right."},
                  worlds, 20, 100000);
}

void UnknownSettings::check_consistency(bool signals_have_range) const {
  if (!declared()) return;
  check<ConfigError>(
      prior != "undeclared",
      "unknown.prior is missing: an unknown parameter needs a range and a prior. Give prior = \"uniform\", \"log_uniform\" or \"normal\" "
      "with low and high.");
  check<ConfigError>(
      constraint != "undeclared",
      "unknown.constraint is missing: without one, unknown signals absorb a wrong {}. Give \"signal_free\", \"range\", \"calibration\", "
      "\"largest\" or \"prior\", or \"none\", whose verdict is never an interval.",
      parameter);
  check<ConfigError>(low < high, "unknown.low = {} must be less than unknown.high = {}; they bound the values that are tried.", low, high);
  check<ConfigError>(prior != "log_uniform" || low > 0.0, "unknown.low = {} must be above 0 for prior = \"log_uniform\".", low);
  check<ConfigError>(prior != "normal" || deviation > 0.0, "unknown.deviation = {} must be above 0 for prior = \"normal\".", deviation);
  check<ConfigError>(prior != "normal" || (mean > low && mean < high),
                     "unknown.mean = {} must lie between unknown.low = {} and unknown.high = {}.", mean, low, high);
  check<ConfigError>(constraint != "prior" || prior == "normal",
                     "unknown.constraint = \"prior\": a {} prior identifies nothing. Give prior = \"normal\" with mean and deviation.",
                     prior);
  const bool has_free = !signal_free_elements.empty() || !signal_free_directions.empty();
  check<ConfigError>(
      (constraint == "signal_free") == has_free,
      "unknown.signal_free_elements or unknown.signal_free_directions must be given with constraint = \"signal_free\" and only then.");
  check<ConfigError>(constraint != "range" || signals_have_range,
                     "unknown.constraint = \"range\" needs the range of signals; give model.signal_min or model.signal_max.");
  const bool has_calibration = !calibration_signals.empty() && !calibration_observations.empty();
  check<ConfigError>(constraint != "calibration" || has_calibration,
                     "unknown.constraint = \"calibration\" needs unknown.calibration_signals and unknown.calibration_observations.");
  check<ConfigError>(
      constraint == "calibration" || (calibration_signals.empty() && calibration_observations.empty()),
      "unknown.calibration_signals and unknown.calibration_observations belong to constraint = \"calibration\"; it is \"{}\".", constraint);
}

}  // namespace unchannel
