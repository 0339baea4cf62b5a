#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/observed_rows.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "run_config.hpp"
#include "sampler_run.hpp"

// Shape legend: B rows of a block · S draws · D signal dimensions flattened
namespace unchannel {

/// What is asked of a restoration.
struct RestorationSettings {
  std::int64_t samples = 1;
  std::int64_t key = 1;
  bool posterior = false;  ///< draws of the posterior, by the run's sampler or by an exact SDE; else transports
  bool one_call = false;   ///< one network call: the distilled transport, or the posterior's mean
  bool cross_fit = false;  ///< each row by the member of a committee that has not learnt from it
  std::vector<std::string> ensemble;  ///< further runs: draw s is by run s mod M of all M
};

/// One or several runs, opened to restore the observations of `input`.
class Restoration {
 public:
  /// Throws ConfigError where a run cannot do what is asked, and what opening runs throws.
  Restoration(const std::string& run, const std::string& input, const std::vector<std::string>& plugin_folders, RestorationSettings settings);

  /// [B, S, D]. Draw s of row i is a pure function of (key, s, row number) and its observation; rows whose observation failed are zero.
  at::Tensor restore(const ObservationBatch& batch) const;

  const Channel& channel() const { return *runs_.front().channel; }
  /// Rows to restore at once.
  std::uint64_t block_rows() const;
  /// "run PATH at step N, …", for origin attributes.
  std::string name() const;
  /// What the spread of the draws leaves out; empty where there is none.
  std::string omission() const;

 private:
  struct OpenedRun {
    std::string path;
    RunConfig config;
    std::unique_ptr<Channel> channel;
    TrainedModel trained;
    std::unique_ptr<Network> short_cut;
    std::optional<SamplerRun> sampler;
  };
  OpenedRun open(const std::string& path, const std::string& input, const std::vector<std::string>& plugin_folders) const;
  void check_settings(const OpenedRun& run, const std::string& input) const;
  void check_ensemble() const;
  /// The draws first, first + M, … [B, S/M, D] by run `first` of M.
  at::Tensor draws_of(const OpenedRun& run, const ObservationBatch& batch, std::int64_t first) const;
  at::Tensor transport(const OpenedRun& run, const ObservationBatch& batch, const at::Tensor& member_B, std::int64_t sample) const;
  RandomKey key() const { return RandomKey(static_cast<std::uint64_t>(settings_.key)).derive(Purpose::kTransportNoise); }

  RestorationSettings settings_;
  std::vector<OpenedRun> runs_;
};

}  // namespace unchannel
