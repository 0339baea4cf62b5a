#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "clean_signals.hpp"
#include "pool.hpp"
#include "settings.hpp"

// Shape legend: G groups of equal time · N samples of a group · B = G·N network rows · S simulated signals · D data dimension
namespace unchannel {

/// What one inner step fits: interpolants at stratified times and the signals they belong to.
struct TrainingBatch {
  at::Tensor level_G;            ///< int64
  at::Tensor signal_GND;
  at::Tensor interpolated_GND;
  at::Tensor noise_GND;          ///< z; undefined where none enters the path
  at::Tensor weight_GN;          ///< 0 where the channel failed on the sample; undefined when it never did
  DriftModel::Context context;
  double share = 1.0;            ///< of the step's network rows, where several ranks share them
};

/// Which of the ranks that share a step asks.
struct RankShare {
  int rank = 0, ranks = 1;
};

/// The network rows of one rank and the simulated signals they need. Each of the G groups is cut at the same places, so that every rank has all
/// times; rows that use one signal go to one rank as far as the cuts allow, so that it is simulated once.
struct BatchPart {
  at::Tensor row_B;   ///< numbers of the network rows, group after group
  at::Tensor pair_S;  ///< numbers of the signals, increasing; undefined: all
  at::Tensor slot_B;  ///< place of each row's signal in pair_S

  /// Rows `groups` × n of a step. With one rank all of them. `step` turns the groups: every signal meets its resamples at different times.
  static BatchPart of(std::int64_t batch, std::int64_t rows, std::int64_t groups, std::int64_t step, RankShare share);
  /// Of values for all signals those of this part.
  at::Tensor of_pairs(const at::Tensor& values_S) const { return pair_S.defined() && values_S.defined() ? values_S.index_select(0, pair_S) : values_S; }
  std::int64_t pairs(std::int64_t batch) const { return pair_S.defined() ? pair_S.size(0) : batch; }
};

/// Draws step `step`'s batch, a pure function of (key, step) and the pool: S = batch signals from the pool, one simulation of
/// each with fresh latents (with probability 1−p the real observation instead), each pair used at `resamples` times. A share
/// `clean_share` of the signals are clean ones: no observation belongs to them, so they are always simulated, with latents of any pool row
/// where the channel does not draw them. Several ranks draw the same numbers and keep their part: together they have the batch of one.
class TrainingBatcher {
 public:
  /// `clean` may be null where clean_share is 0; it must outlive the batcher. Throws ConfigError when there are more ranks than rows in a group.
  TrainingBatcher(const ScsiSettings& settings, const Channel& channel, const DriftModel& model, RandomKey key, const CleanSignals* clean,
                  RankShare share = {});

  TrainingBatch draw(const Pool& pool, std::int64_t step) const;

 private:
  struct Pairs {
    at::Tensor x_SD;
    at::Tensor y_SD;
    at::Tensor weight_S;
    at::Tensor learner_S;
    Latents visible;
  };
  Pairs draw_pairs(const Pool& pool, std::int64_t step, const BatchPart& part) const;
  at::Tensor draw_clean(std::int64_t step) const;
  RandomKey clean_key() const { return key_.derive(Purpose::kMixture).derive(std::uint64_t{1}); }

  ScsiSettings settings_;
  const Channel& channel_;
  const DriftModel& model_;
  RandomKey key_;
  const CleanSignals* clean_;
  RankShare share_;
};

/// `count` indices below `bound`, a pure function of (key, stream, step), int64.
at::Tensor draw_indices(RandomKey key, std::uint64_t step, std::uint32_t stream, std::int64_t count, std::int64_t bound);

/// The member of a committee that transports each observation row and never learns from it; undefined for a single network.
at::Tensor transporters_of(const at::Tensor& rows_B, const ModelSettings& settings);
/// A member that learns from each row at this step, all others than the transporter in turn; undefined for a single network.
at::Tensor learners_of(const at::Tensor& rows_B, std::int64_t step, const ModelSettings& settings);

/// The latents of `all` that the model sees.
Latents visible_latents(const Channel& channel, const Latents& all);

/// F(x) with every latent from its declared source. `own_BL`: rows that belong to x; `pool_BL`: rows to bootstrap from.
at::Tensor simulate_with_sources(const Channel& channel, const at::Tensor& x_BD, const Latents& own, const Latents& bootstrapped,
                                 RandomKey key, const at::Tensor& ids_B, Latents* used);

}  // namespace unchannel
