#include "run_verdict.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/scsi/cost_estimate.hpp>
#include <unchannel/scsi/training_batch.hpp>

#include "opened_run.hpp"

namespace unchannel::diagnostics {
namespace {

constexpr std::size_t kLeastEvaluations = 6;

std::vector<double> column(const std::vector<TrajectoryPoint>& points, double TrajectoryPoint::*member) {
  std::vector<double> values;
  for (const TrajectoryPoint& point : points) values.push_back(point.*member);
  return values;
}

/// Half of the early-stop rows are simulated again and compared with the other half: means of unit variance differ by 1/A + 1/B, spreads by
/// half of that.
OpenGap open_gap(const TrajectoryPoint& point, std::int64_t early_stop_rows) {
  const auto coordinates = static_cast<double>(point.mean_gap_Q.size()), half = static_cast<double>(early_stop_rows) / 2;
  return {law_of({point})[0], coordinates * 1.5 * 2 / half};
}

/// Movement and rises from the evaluations.
void read_movement(const std::vector<TrajectoryPoint>& points, const TrainSettings& settings, Facts& facts) {
  std::vector<TrajectoryPoint> iterated;
  std::ranges::copy_if(points, std::back_inserter(iterated), [](const TrajectoryPoint& point) { return point.outer > 0; });
  facts.gap_rise = rise_over_least(column(iterated, &TrajectoryPoint::gap));
  facts.residual_rise = rise_over_least(column(iterated, &TrajectoryPoint::residual_excess));
  if (!points.empty()) facts.residual_excess = points.back().residual_excess;
  const std::vector<TrajectoryPoint> window = outer_window(points, settings.optimiser.learning_rate);
  const auto refuse = [&facts](std::string why, std::string remedy) {
    facts.obstacle = std::move(why);
    facts.obstacle_remedy = std::move(remedy);
  };
  if (settings.scsi.refresh_every == 0) return refuse("the pool is never refreshed, so there is no outer iteration to judge.", "");
  if (window.size() < kLeastEvaluations) {
    return refuse(fmt::format("{} evaluations after the start, while the learning rate is above a fifth of its peak; {} are needed",
                              window.size(), kLeastEvaluations),
                  "Lower run.evaluate_every, or train longer.");
  }
  if (window.back().outer - window.front().outer < 1) {
    return refuse(fmt::format("these evaluations cover {:.2f} outer iterations; 1 is needed", window.back().outer - window.front().outer),
                  "Raise scsi.refresh_rows or scsi.steps, or lower scsi.refresh_every.");
  }
  const OpenGap open = open_gap(points.back(), settings.data.early_stop_rows);
  facts.contraction = fit_contraction(column(window, &TrajectoryPoint::outer), law_of(window), open);
}

/// The test of fit, or the obstacle to it.
void test_run(const OpenedRun& run, const std::function<void(std::int64_t)>& progress, Facts& facts) {
  const GapTestCase test = gap_test_case(run);
  for (const ObservationBatch* rows : {&test.known, &test.early_stop, &test.test}) {
    if (valid_rows(rows->lifted_BD, rows->weight_B).size(0) >= kLeastRows) continue;
    facts.obstacle = fmt::format("the gap is tested with at least {} observations of each split", kLeastRows);
    facts.obstacle_remedy = "Raise data.early_stop_rows and data.test_rows.";
    return;
  }
  try {
    facts.test = test_gap(test, {.margin = run.settings.verdict.margin, .replicas = run.settings.verdict.replicas, .progress = progress});
  } catch (const NumericalError& error) {
    facts.obstacle = error.what();
  }
}

/// None where there are too few rows.
std::vector<RecoverableDirection> probe_run(const OpenedRun& run) {
  const ObservationBatch rows = run.observations.training_sample(kProbedRows);
  if (valid_rows(rows.lifted_BD, rows.weight_B).size(0) < kLeastProbes) return {};
  const RandomKey key = run.key.derive(Purpose::kChannelProbe);
  const at::Tensor x_ND =
      run.restore(rows.lifted_BD, visible_latents(run.channel, rows.latents), key.derive(Purpose::kTransportNoise), rows.row_numbers());
  Latents own;
  for (const auto& [name, values] : rows.latents) own.emplace(name, valid_rows(values, rows.weight_B));
  return probe_recoverability(run.channel, valid_rows(x_ND, rows.weight_B), own, run.observations.training_rows(), key);
}

nlohmann::json to_json(const Contraction& c) {
  return {{"evaluations", c.evaluations},
          {"outer_iterations", {c.outer_begin, c.outer_end}},
          {"moved", c.moved},
          {"rate_per_outer_iteration", c.rate},
          {"rate_interval_95", {c.rate_low, c.rate_high}},
          {"remaining_fraction", c.remaining},
          {"ahead_fraction_95", {c.ahead_low, c.ahead_high}},
          {"closing_share_high", c.closing_high},
          {"jitter_fraction", c.jitter},
          {"curve_outer_iterations", c.outer_K},
          {"curve_fraction", c.moving_K},
          {"curve_fitted_fraction", c.fitted_K}};
}

nlohmann::json to_json(const GapTest& t) {
  return {{"gap_fraction", t.gap},       {"fit_gap_fraction", t.fit_gap}, {"excess_fraction", t.excess},
          {"error_fraction", t.error},   {"p_value", t.p_value},          {"power", t.power},
          {"coordinates", t.coordinates}};
}

nlohmann::json to_json(const RecoverableDirection& d) {
  return {{"rank", d.rank},
          {"spread_data_units", d.spread},
          {"condition", d.condition},
          {"condition_is_bound", d.condition_is_bound},
          {"spread_error_fraction", d.spread_error},
          {"data_determined", d.data_determined}};
}

}  // namespace

RunVerdict judge_run(const std::filesystem::path& run, const TrainSettings& settings, const Channel& channel,
                     const std::function<void(std::int64_t)>& progress) {
  const OpenedRun opened(run, settings, channel);
  RunVerdict result;
  result.step = opened.trained.step;
  Facts& facts = result.facts;
  facts.margin = settings.verdict.margin;
  facts.held_out_rows = std::min(settings.data.early_stop_rows, settings.data.test_rows);
  const std::int64_t pool = std::min(settings.scsi.pool, opened.observations.training_rows());
  facts.steps_per_outer =
      static_cast<double>(pool * settings.scsi.refresh_every) / static_cast<double>(std::min(settings.scsi.refresh_rows, pool));
  read_movement(read_trajectory(run / "metrics.jsonl"), settings, facts);
  if (facts.contraction) {
    test_run(opened, progress, facts);
    if (facts.test) result.recoverability = probe_run(opened);
  }
  result.verdict = judge(facts);
  return result;
}

std::string recoverability_in_words(const std::vector<RecoverableDirection>& directions) {
  if (directions.empty()) return "";
  const auto determined = std::ranges::count_if(directions, &RecoverableDirection::data_determined);
  return fmt::format("{} of {} probed directions of the signals are determined by the data, the others by the start and the model",
                     determined, directions.size());
}

nlohmann::json to_json(const RunVerdict& verdict) {
  const Facts& facts = verdict.facts;
  nlohmann::json json = {{"step", verdict.step},
                         {"verdict", to_string(verdict.verdict.word)},
                         {"reason", verdict.verdict.reason},
                         {"remedy", verdict.verdict.remedy},
                         {"margin_fraction", facts.margin},
                         {"gap_rise_fraction", facts.gap_rise.height},
                         {"residual_excess_fraction", facts.residual_excess}};
  if (facts.contraction) json["contraction"] = to_json(*facts.contraction);
  if (facts.test) json["test"] = to_json(*facts.test);
  for (const RecoverableDirection& direction : verdict.recoverability) json["recoverability"].push_back(to_json(direction));
  return json;
}

}  // namespace unchannel::diagnostics
