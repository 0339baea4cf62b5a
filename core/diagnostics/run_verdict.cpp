#include "run_verdict.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/scsi/observations.hpp>
#include <unchannel/scsi/trained_model.hpp>

namespace unchannel::diagnostics {
namespace {

constexpr std::int64_t kKnownRows = 4096;
constexpr std::size_t kLeastEvaluations = 6;

std::vector<double> column(const std::vector<TrajectoryPoint>& points, double TrajectoryPoint::*member) {
  std::vector<double> values;
  for (const TrajectoryPoint& point : points) values.push_back(point.*member);
  return values;
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
    return refuse(fmt::format("{} evaluations after the start, while the learning rate is above a fifth of its peak; {} are needed", window.size(), kLeastEvaluations),
                  "Lower run.evaluate_every, or train longer.");
  }
  if (window.back().outer - window.front().outer < 1) {
    return refuse(fmt::format("these evaluations cover {:.2f} outer iterations; 1 is needed", window.back().outer - window.front().outer),
                  "Raise scsi.refresh_rows or scsi.steps, or lower scsi.refresh_every.");
  }
  facts.contraction = fit_contraction(column(window, &TrajectoryPoint::outer), law_of(window));
  const TrajectoryPoint& last = points.back();
  for (std::size_t q = 0; q < last.mean_gap_Q.size(); ++q) {
    const double gap = std::hypot(last.mean_gap_Q[q], last.spread_gap_Q[q]), ahead = facts.contraction->ahead_high_Q[q];
    if (ahead <= tolerance(facts)) facts.stuck_gap = std::max(facts.stuck_gap, gap);
  }
}

/// The test of fit, or the obstacle to it.
void test_run(const TrainedModel& trained, const TrainSettings& settings, const Channel& channel, const std::function<void(std::int64_t)>& progress,
              Facts& facts) {
  const RandomKey run_key(static_cast<std::uint64_t>(settings.run.key));
  const Observations observations(settings.data, channel, run_key);
  const std::int64_t pool = std::min(settings.scsi.pool, observations.training_rows());
  facts.steps_per_outer = static_cast<double>(pool * settings.scsi.refresh_every) / static_cast<double>(std::min(settings.scsi.refresh_rows, pool));
  const Restore restore = [&](const at::Tensor& y_ND, const Latents& visible, RandomKey key, const at::Tensor& ids_N) {
    return trained.model.transport(*trained.network, y_ND, visible, settings.transport.in_restoration(), key, ids_N);
  };
  const GapTestCase test{.channel = channel,
                         .restore = restore,
                         .known = observations.training_sample(kKnownRows),
                         .early_stop = observations.early_stop(),
                         .test = observations.test(),
                         .training_rows = observations.training_rows(),
                         .key = run_key.derive(Purpose::kMetric)};
  for (const ObservationBatch* rows : {&test.known, &test.early_stop, &test.test}) {
    if (valid_rows(rows->lifted_BD, rows->weight_B).size(0) >= kLeastRows) continue;
    facts.obstacle = fmt::format("the gap is tested with at least {} observations of each split", kLeastRows);
    facts.obstacle_remedy = "Raise data.early_stop_rows and data.test_rows.";
    return;
  }
  try {
    facts.test = test_gap(test, {.margin = settings.verdict.margin, .replicas = settings.verdict.replicas, .progress = progress});
  } catch (const NumericalError& error) {
    facts.obstacle = error.what();
  }
}

nlohmann::json to_json(const Contraction& c) {
  return {{"evaluations", c.evaluations},
          {"outer_iterations", {c.outer_begin, c.outer_end}},
          {"moved", c.moved},
          {"rate_per_outer_iteration", c.rate},
          {"rate_interval_95", {c.rate_low, c.rate_high}},
          {"remaining_fraction", c.remaining},
          {"ahead_fraction_95", {c.ahead_low, c.ahead_high}},
          {"jitter_fraction", c.jitter},
          {"curve_outer_iterations", c.outer_K},
          {"curve_fraction", c.moving_K},
          {"curve_fitted_fraction", c.fitted_K}};
}

nlohmann::json to_json(const GapTest& t) {
  return {{"gap_fraction", t.gap}, {"fit_gap_fraction", t.fit_gap}, {"excess_fraction", t.excess}, {"error_fraction", t.error},
          {"p_value", t.p_value},  {"power", t.power},              {"coordinates", t.coordinates}};
}

}  // namespace

RunVerdict judge_run(const std::filesystem::path& run, const TrainSettings& settings, const Channel& channel, const std::function<void(std::int64_t)>& progress) {
  const TrainedModel trained = open_trained_model(run, settings.model, settings.interpolant);
  RunVerdict result;
  result.step = trained.step;
  Facts& facts = result.facts;
  facts.margin = settings.verdict.margin;
  facts.held_out_rows = std::min(settings.data.early_stop_rows, settings.data.test_rows);
  read_movement(read_trajectory(run / "metrics.jsonl"), settings, facts);
  if (facts.contraction) test_run(trained, settings, channel, progress, facts);
  result.verdict = judge(facts);
  return result;
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
  return json;
}

}  // namespace unchannel::diagnostics
