#pragma once

#include <optional>
#include <string>
#include <vector>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/metrics/consistency_gap.hpp>
#include <unchannel/metrics/whitened_coordinates.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "observations.hpp"
#include "settings.hpp"

// Shape legend: A, B rows · D data dimension
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
  /// Gap of the early-stop observations, and in which way the law of the simulated ones differs. The same rows and random numbers at every
  /// evaluation: differences between two of them are the network's alone.
  struct Consistency {
    metrics::GapResult gap;
    std::vector<double> mean_gap;    ///< simulated less held-out, along whitened coordinates of the early-stop observations: in shares of their spread
    std::vector<double> spread_gap;  ///< the same of the standard deviations
  };
  struct Monitored {
    double rmse = 0.0;
    std::optional<double> excess_sliced_w2;
  };

  /// Reads the held-out rows, as many training rows and the monitor's files. Throws DataError, ShapeError.
  TrainingFigures(const TrainSettings& settings, const Channel& channel, const Observations& observations);

  const ObservationBatch& early_stop() const { return early_stop_; }
  Consistency consistency(const DriftModel& model, Network& network) const;
  /// Gap between F(Φ(y)) of the first half of `rows` and the second half.
  metrics::GapResult gap(const DriftModel& model, Network& network, const ObservationBatch& rows) const;
  Residuals residuals(const DriftModel& model, Network& network) const;
  /// None without a monitor.
  std::optional<Monitored> monitor(const DriftModel& model, Network& network) const;

 private:
  /// Coordinates along which each evaluation logs the law.
  static constexpr std::int64_t kLawCoordinates = 16;

  struct Halves {
    at::Tensor simulated_AD, own_AD;  ///< F(Φ(y)) of the first half's valid rows, and those rows
    at::Tensor others_BD;             ///< the second half
    metrics::GapResult gap() const { return metrics::consistency_gap(simulated_AD, others_BD, own_AD); }
  };
  Halves simulate_first_half(const DriftModel& model, Network& network, const ObservationBatch& rows) const;
  void read_monitor(const DataSettings& data);
  double residual_rms(const DriftModel& model, Network& network, const ObservationBatch& rows) const;

  const Channel& channel_;
  Integration how_;
  RandomKey key_;
  ObservationBatch early_stop_, seen_rows_;
  metrics::WhitenedCoordinates coordinates_;
  at::Tensor monitor_observations_, monitor_signals_, monitor_reference_;
  Latents monitor_latents_;
};

}  // namespace unchannel
