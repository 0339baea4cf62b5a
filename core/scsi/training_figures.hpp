#pragma once

#include <optional>
#include <string>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/metrics/consistency_gap.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "observations.hpp"
#include "settings.hpp"

namespace unchannel {

/// What a training measures at each evaluation with the weights that restore. Only the benchmarks' monitor looks at clean signals.
class TrainingFigures {
 public:
  struct Residuals {
    double held_out_rms = 0.0;       ///< root mean square of y − Φ(y), data units
    double training_rows_rms = 0.0;

    /// By how much restorations change held-out observations more than training rows. A network that has learnt its rows by heart returns
    /// them, noise included.
    double excess() const;
  };
  struct Monitored {
    double rmse = 0.0;
    std::optional<double> excess_sliced_w2;
  };

  /// Reads the held-out rows, as many training rows and the monitor's files. Throws DataError, ShapeError.
  TrainingFigures(const TrainSettings& settings, const Channel& channel, const Observations& observations);

  const ObservationBatch& early_stop() const { return early_stop_; }
  /// Gap between F(Φ(y)) of the first half of `rows` and the second half.
  metrics::GapResult gap(const DriftModel& model, Network& network, const ObservationBatch& rows) const;
  Residuals residuals(const DriftModel& model, Network& network) const;
  /// None without a monitor.
  std::optional<Monitored> monitor(const DriftModel& model, Network& network) const;

 private:
  void read_monitor(const DataSettings& data);
  double residual_rms(const DriftModel& model, Network& network, const ObservationBatch& rows) const;

  const Channel& channel_;
  Integration how_;
  RandomKey key_;
  ObservationBatch early_stop_, seen_rows_;
  at::Tensor monitor_observations_, monitor_signals_, monitor_reference_;
  Latents monitor_latents_;
};

}  // namespace unchannel
