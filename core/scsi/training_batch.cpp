#include "training_batch.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

#include <unchannel/base/error.hpp>
#include <unchannel/distributed/ranks.hpp>
#include <unchannel/measurement/failure_watch.hpp>

namespace unchannel {
namespace {

/// Rows per group of equal time below which the matrix products become thin.
constexpr std::int64_t kRowsPerGroup = 8;

/// Largest number of groups ≤ the levels that divides the rows and leaves at least kRowsPerGroup rows each.
std::int64_t group_count(std::int64_t rows, std::int64_t levels) {
  for (std::int64_t groups = std::min(levels, std::max<std::int64_t>(1, rows / kRowsPerGroup)); groups > 1; --groups) {
    if (rows % groups == 0) return groups;
  }
  return 1;
}

/// One level from each of G strata of 1 … L.
at::Tensor draw_levels(RandomKey key, std::uint64_t step, std::int64_t groups, std::int64_t levels) {
  std::vector<float> u(static_cast<std::size_t>(groups));
  key.uniform(step, 0, static_cast<std::uint32_t>(groups), u.data());
  at::Tensor level_G = at::empty({groups}, at::kLong);
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t begin = g * levels / groups, end = (g + 1) * levels / groups;
    const auto inside = static_cast<std::int64_t>(u[static_cast<std::size_t>(g)] * static_cast<float>(end - begin));
    level_G.data_ptr<std::int64_t>()[g] = 1 + begin + std::min(inside, end - begin - 1);
  }
  return level_G;
}

at::Tensor where_rows(const at::Tensor& choose_B, const at::Tensor& a, const at::Tensor& b) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(a.dim()), 1);
  shape[0] = -1;
  return at::where(choose_B.view(shape), a, b);
}

}  // namespace

BatchPart BatchPart::of(std::int64_t batch, std::int64_t rows, std::int64_t groups, std::int64_t step, RankShare share) {
  // Network row r uses pair r mod S, and row r goes to group (r + step) mod G. Rows n·G … n·G + G − 1 are sample n of every group.
  at::Tensor row_NG = at::arange(rows, at::kLong).view({rows / groups, groups}).roll(step % groups, 1);
  BatchPart part;
  if (share.ranks == 1) {
    part.row_B = row_NG.t().reshape({-1});
    part.slot_B = part.row_B.remainder(batch);
    return part;
  }
  // In the order of the signals they use, samples that share one stand side by side.
  const at::Tensor by_signal_N = at::argsort(at::arange(rows / groups, at::kLong).mul_(groups).remainder_(batch), /*stable=*/true, /*dim=*/0);
  const auto [begin, end] = share_of(rows / groups, share.rank, share.ranks);
  const at::Tensor mine_N = std::get<0>(by_signal_N.slice(0, begin, end).sort());
  part.row_B = row_NG.index_select(0, mine_N).t().reshape({-1});
  std::tie(part.pair_S, part.slot_B) = at::_unique(part.row_B.remainder(batch), /*sorted=*/true, /*return_inverse=*/true);
  return part;
}

at::Tensor draw_indices(RandomKey key, std::uint64_t step, std::uint32_t stream, std::int64_t count, std::int64_t bound) {
  at::Tensor index = at::empty({count}, at::kLong);
  std::int64_t* out = index.data_ptr<std::int64_t>();
  const RandomKey row_key = key.derive(stream);
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::int64_t>(row_key.bits(step, static_cast<std::uint32_t>(i)) % static_cast<std::uint64_t>(bound));
  }
  return index;
}

at::Tensor transporters_of(const at::Tensor& rows_B, const ModelSettings& settings) {
  return settings.members > 1 ? rows_B.remainder(settings.members) : at::Tensor();
}

at::Tensor learners_of(const at::Tensor& rows_B, std::int64_t step, const ModelSettings& settings) {
  if (settings.members == 1) return {};
  const at::Tensor turn_B = at::arange(rows_B.size(0), at::kLong).add_(step).remainder_(settings.members - 1);
  return (transporters_of(rows_B, settings) + 1 + turn_B).remainder_(settings.members);
}

Latents visible_latents(const Channel& channel, const Latents& all) {
  Latents visible;
  for (const LatentSpec& spec : channel.latents()) {
    const auto found = all.find(spec.name);
    if (spec.visible && found != all.end()) visible.insert(*found);
  }
  return visible;
}

at::Tensor simulate_with_sources(const Channel& channel, const at::Tensor& x_BD, const Latents& own, const Latents& bootstrapped,
                                 RandomKey key, const at::Tensor& ids_B, Latents* used) {
  Latents given;
  for (const LatentSpec& spec : channel.latents()) {
    if (spec.source == LatentSource::kOwn) given.emplace(spec.name, own.at(spec.name));
    if (spec.source == LatentSource::kData) given.emplace(spec.name, bootstrapped.at(spec.name));
  }
  Latents all;
  const at::Tensor raw_BM = measure(channel, x_BD, given, key, ids_B, &all);
  at::Tensor lifted_BD = channel.lift(raw_BM, all);
  if (used) *used = std::move(all);
  return lifted_BD;
}

TrainingBatcher::TrainingBatcher(const ScsiSettings& settings, const Channel& channel, const DriftModel& model, RandomKey key,
                                 const CleanSignals* clean, RankShare share)
    : settings_(settings), channel_(channel), model_(model), key_(key), clean_(clean), share_(share) {
  const std::int64_t rows = settings.batch * settings.resamples, groups = group_count(rows, model.interpolant().levels());
  check<ConfigError>(share.ranks <= rows / groups,
                     "{} ranks: scsi.batch × scsi.resamples = {} rows are {} groups of equal time with {} rows each; every rank needs a row of each group. "
                     "Start {} ranks at most, or raise scsi.batch.",
                     share.ranks, rows, groups, rows / groups, rows / groups);
}

/// Which signals of the step are clean ones, bool [S]; undefined when there is no clean share.
at::Tensor TrainingBatcher::draw_clean(std::int64_t step) const {
  if (settings_.clean_share == 0.0) return {};
  at::Tensor u_S = at::empty({settings_.batch}, at::kFloat);
  clean_key().uniform(static_cast<std::uint64_t>(step), 0, static_cast<std::uint32_t>(settings_.batch), u_S.data_ptr<float>());
  return u_S.lt(settings_.clean_share);
}

TrainingBatcher::Pairs TrainingBatcher::draw_pairs(const Pool& pool, std::int64_t step, const BatchPart& part) const {
  const auto id = static_cast<std::uint64_t>(step);
  const std::int64_t count = settings_.batch;
  const RandomKey pool_key = key_.derive(Purpose::kPool);
  // A pool of one batch, refreshed every step, is the published recipe: each transported signal is used once.
  const at::Tensor of_all_S = pool.size() == count ? at::arange(count, at::kLong) : draw_indices(pool_key, id, 1, count, pool.size());
  const at::Tensor index_S = part.of_pairs(of_all_S);
  Pairs pairs;
  pairs.x_SD = pool.signals(index_S);
  pairs.learner_S = part.of_pairs(learners_of(pool.rows(of_all_S), step, model_.settings()));
  Latents own = pool.latents(index_S);
  const Latents bootstrapped = own.empty() ? Latents{} : pool.latents(part.of_pairs(draw_indices(pool_key, id, 2, count, pool.size())));
  at::Tensor pool_weight_S = pool.weights(index_S);
  const at::Tensor clean_S = part.of_pairs(draw_clean(step));
  if (clean_S.defined()) {
    const at::Tensor clean_row_S = part.of_pairs(draw_indices(clean_key(), id, 1, count, clean_->count()));
    pairs.x_SD = where_rows(clean_S, clean_->rows(clean_row_S), pairs.x_SD);
    for (auto& [name, values] : own) values = where_rows(clean_S, bootstrapped.at(name), values);
    if (pool_weight_S.defined()) pool_weight_S = at::where(clean_S, at::ones_like(pool_weight_S), pool_weight_S);
  }
  const at::Tensor ids_S = part.of_pairs(at::arange(step * count, (step + 1) * count, at::kLong));
  Latents used;
  const FailureWatch watch(channel_);
  pairs.y_SD = simulate_with_sources(channel_, pairs.x_SD, own, bootstrapped, key_.derive(Purpose::kChannelTraining), ids_S, &used);
  pairs.visible = visible_latents(channel_, used);
  pairs.weight_S = both_weights(pool_weight_S, watch.weight_B(part.pairs(count)));
  if (settings_.mixture < 1.0) {
    at::Tensor u_S = at::empty({count}, at::kFloat);
    key_.derive(Purpose::kMixture).uniform(id, 0, static_cast<std::uint32_t>(count), u_S.data_ptr<float>());
    at::Tensor real_S = part.of_pairs(u_S).ge(settings_.mixture);
    if (clean_S.defined()) real_S = real_S.logical_and(clean_S.logical_not());
    pairs.y_SD = where_rows(real_S, pool.observations(index_S), pairs.y_SD);
    for (auto& [name, values] : pairs.visible) values = where_rows(real_S, own.at(name), values);
  }
  return pairs;
}

TrainingBatch TrainingBatcher::draw(const Pool& pool, std::int64_t step) const {
  const auto id = static_cast<std::uint64_t>(step);
  const std::int64_t rows = settings_.batch * settings_.resamples;
  const Interpolant& interpolant = model_.interpolant();
  const std::int64_t groups = group_count(rows, interpolant.levels());
  const BatchPart part = BatchPart::of(settings_.batch, rows, groups, step, share_);
  const Pairs pairs = draw_pairs(pool, step, part);
  const at::Tensor& row_B = part.row_B;
  const at::Tensor& slot_B = part.slot_B;

  TrainingBatch batch;
  batch.level_G = draw_levels(key_.derive(Purpose::kInterpolantTime), id, groups, interpolant.levels());
  batch.share = static_cast<double>(row_B.size(0)) / static_cast<double>(rows);
  const auto grouped = [&](const at::Tensor& values_SD) { return values_SD.index_select(0, slot_B).unflatten(0, {groups, row_B.size(0) / groups}); };
  batch.signal_GND = grouped(pairs.x_SD);
  if (pairs.weight_S.defined()) batch.weight_GN = grouped(pairs.weight_S);
  const at::Tensor y_GND = grouped(pairs.y_SD);
  if (interpolant.draws_noise()) {
    const at::Tensor ids_B = row_B + step * rows;
    batch.noise_GND = normal_rows(key_.derive(Purpose::kInterpolantNoise), ids_B, y_GND.size(2)).view_as(y_GND);
  }
  const at::Tensor t_G = batch.level_G.to(at::kFloat) / static_cast<double>(interpolant.levels());
  batch.interpolated_GND = interpolant.mix(t_G, batch.signal_GND, y_GND, batch.noise_GND);

  const at::Tensor planes_SPS = model_.encoder().planes_BPS(pairs.visible);
  const at::Tensor conditions_SC = model_.encoder().conditions_BC(pairs.visible);
  if (planes_SPS.defined()) batch.context.planes_BPS = planes_SPS.index_select(0, slot_B);
  if (conditions_SC.defined()) batch.context.conditions_BC = conditions_SC.index_select(0, slot_B);
  if (pairs.learner_S.defined()) batch.context.member_B = pairs.learner_S.index_select(0, slot_B);
  batch.context.training = true;
  batch.context.dropout_key = key_.derive(Purpose::kDropout).derive(id);
  batch.context.ids_B = row_B;
  return batch;
}

}  // namespace unchannel
