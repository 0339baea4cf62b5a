#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include <unchannel/data/dataset.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "run_config.hpp"

// Shape legend: B rows · K samples of a row · D signal dimensions flattened
namespace unchannel {

/// Which restorations of which observations.
struct RestorationRequest {
  std::string run, input;
  std::int64_t samples = 1;
  std::int64_t key = 1;
  bool one_call = false;
};

/// A trained run applied to a file of observations, block by block.
class Restoration {
 public:
  /// Throws what opening run, channel and input throws; ConfigError for several samples of a deterministic transport.
  Restoration(RestorationRequest request, RunConfig config, const std::vector<std::string>& plugin_folders);

  struct Block {
    at::Tensor signals_BKD;    ///< zeros where the channel's lift failed
    std::uint64_t failed = 0;
  };
  /// Rows [first, first + count) as a part of the whole block of block_rows() rows they lie in, which is restored with them: matrix products of
  /// other sizes round differently. Row i is a function of run, input, key and i.
  Block rows(std::uint64_t first, std::uint64_t count) const;

  const DatasetReader& observations() const { return reader_; }
  /// transport.batch
  std::uint64_t block_rows() const { return static_cast<std::uint64_t>(config_.train.transport.batch); }
  /// Of one row in the output: the samples come first where there are several.
  std::vector<std::uint64_t> row_shape() const;
  /// What was done, for people: the attribute of that name.
  std::string origin() const;
  /// Everything the rows depend on, content hashes included; of the observations their size only.
  nlohmann::json task() const;

 private:
  at::Tensor sample_BD(const at::Tensor& y_BD, const Latents& latents, std::uint64_t first, std::int64_t sample) const;

  RestorationRequest request_;
  RunConfig config_;
  std::unique_ptr<Channel> channel_;
  TrainedModel trained_;
  std::unique_ptr<Network> short_cut_;
  DatasetReader reader_;
};

}  // namespace unchannel
