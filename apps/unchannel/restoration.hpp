#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include <unchannel/data/dataset.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/observed_rows.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "run_config.hpp"
#include "sampler_run.hpp"

// Shape legend: B rows of a block · S draws · D signal dimensions flattened · V values of a row in the output
namespace unchannel {

/// What is asked of a restoration.
struct RestorationSettings {
  std::int64_t samples = 1;
  std::int64_t key = 1;
  bool posterior = false;  ///< draws of the posterior, by the run's sampler or by an exact SDE; else transports
  bool one_call = false;   ///< one network call: the distilled transport, or the posterior's mean
  bool summary = false;    ///< mean and inverse variance of the draws instead of the draws
  bool cross_fit = false;  ///< each row by the member of a committee that has not learnt from it
  std::vector<std::string> ensemble;  ///< further runs: draw s is by run s mod M of all M
};

/// One or several runs applied to a file of observations, block by block.
class Restoration {
 public:
  /// Throws ConfigError where a run cannot do what is asked, and what opening runs and `input` throws.
  Restoration(const std::string& run, const std::string& input, const std::vector<std::string>& plugin_folders, RestorationSettings settings);

  struct Block {
    at::Tensor values_BV;      ///< the draws of each row, [S, D], or their mean and inverse variance, [2, D]; zeros where the channel's lift failed
    std::uint64_t failed = 0;
  };
  /// Rows [first, first + count) as a part of the whole block of block_rows() rows they lie in, which is restored with them: matrix products of
  /// other sizes round differently. Draw s of row i is a function of runs, input, key, s and i.
  Block rows(std::uint64_t first, std::uint64_t count) const;

  const DatasetReader& observations() const { return reader_; }
  /// Rows to restore at once: transport.batch, fewer where their draws would be large.
  std::uint64_t block_rows() const;
  /// Of one row in /signals: the draws come first where there are several.
  std::vector<std::uint64_t> row_shape() const;
  /// V
  std::uint64_t row_size() const;
  bool summary() const { return settings_.summary; }
  /// What was done, for people: the attribute of that name.
  std::string origin() const;
  /// What the spread of the draws leaves out; empty where there is none.
  std::string omission() const;
  /// Everything the rows depend on, content hashes included; of the observations their size only.
  nlohmann::json task() const;

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
  /// [B, S, D]; rows whose observation failed are zero.
  at::Tensor draws(const ObservationBatch& batch) const;
  /// The draws first, first + M, … [B, S/M, D] by run `first` of M.
  at::Tensor draws_of(const OpenedRun& run, const ObservationBatch& batch, std::int64_t first) const;
  at::Tensor transport(const OpenedRun& run, const ObservationBatch& batch, const at::Tensor& member_B, std::int64_t sample) const;
  RandomKey key() const { return RandomKey(static_cast<std::uint64_t>(settings_.key)).derive(Purpose::kTransportNoise); }

  std::string input_;
  RestorationSettings settings_;
  DatasetReader reader_;
  std::vector<OpenedRun> runs_;
};

}  // namespace unchannel
