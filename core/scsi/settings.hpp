#pragma once

#include <cstdint>
#include <string>

#include <unchannel/interpolant/interpolant.hpp>
#include <unchannel/nn/network.hpp>
#include <unchannel/nn/optimiser.hpp>
#include <unchannel/transport/solver.hpp>

namespace unchannel {

/// Which observations are used, and how they are split.
struct DataSettings {
  std::string observations;
  std::string signals;
  std::int64_t simulation_key = 1;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::string clean_signals;
  std::int64_t early_stop_rows = 512;
  std::int64_t test_rows = 512;
  std::int64_t buffer_mib = 64;
  std::string monitor_observations;
  std::string monitor_signals;
  std::string monitor_reference;
  std::int64_t monitor_rows = 1024;

  /// The file that has the rows: observations, or the signals they are simulated from.
  const std::string& file() const { return signals.empty() ? observations : signals; }
  void visit(SettingsVisitor& visitor);
};

/// The outer iteration [SCSI, Algorithm 2], with a pool of transported signals that inner steps draw from.
struct ScsiSettings {
  std::int64_t steps = 20000;
  std::int64_t batch = 512;
  std::int64_t resamples = 2;
  double mixture = 0.9;
  double clean_share = 0.0;
  std::int64_t pool = 12000;
  std::int64_t refresh_every = 8;
  std::int64_t refresh_rows = 1500;
  std::int64_t first_refresh = 100;
  std::string teacher = "ema";
  double over_relaxation = 0.0;
  double early_stop = 0.0;

  void visit(SettingsVisitor& visitor);
};

/// Where the iteration starts.
struct StartSettings {
  std::string kind = "linear";
  std::string basis = "observations";
  std::int64_t components = 128;
  std::int64_t rounds = 3;
  std::int64_t em_steps = 1;
  std::int64_t probes = 8192;
  double smoothing_elements = 0.0;
  std::string weighting = "noise";
  std::string variances = "likelihood";
  bool filter_basis = false;
  std::int64_t iterations = 20;
  std::string file;
  std::string run;

  void visit(SettingsVisitor& visitor);
};

/// Keys of the run itself.
struct RunSettings {
  std::int64_t key = 1;
  std::int64_t threads = 0;
  std::int64_t evaluate_every = 500;
  std::int64_t checkpoint_every = 1000;
  double rank_timeout_s = 3600.0;

  void visit(SettingsVisitor& visitor);
};

/// The verdict at the end of a training: docs/theory/verdict.md.
struct VerdictSettings {
  double margin = 0.1;
  std::int64_t replicas = 99;

  void visit(SettingsVisitor& visitor);
};

/// Everything a training needs beside its channel.
struct TrainSettings {
  DataSettings data;
  InterpolantSettings interpolant;
  ModelSettings model;
  TransportSettings transport;
  StartSettings start;
  ScsiSettings scsi;
  OptimiserSettings optimiser;
  RunSettings run;
  VerdictSettings verdict;

  void visit(SettingsVisitor& visitor);
  /// Rules that concern more than one key. Throws ConfigError.
  void check_consistency() const;
};

}  // namespace unchannel
