#pragma once

#include <gtest/gtest.h>

#include <unchannel/data/dataset.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/scsi/settings.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "awgn_channel.hpp"

namespace unchannel {

constexpr std::int64_t kDimension = 64;
constexpr double kSigma = 2.0;

inline void write_rows(const std::filesystem::path& path, DatasetKind kind, const at::Tensor& rows_ND) {
  DatasetWriter writer(path, kind, {static_cast<std::uint64_t>(rows_ND.size(1))});
  const at::Tensor flat = rows_ND.contiguous();
  writer.append({flat.data_ptr<float>(), static_cast<std::size_t>(flat.numel())});
  writer.close();
}

/// Observations of rank-two Gaussian signals through AWGN, in a file, with settings that train in a second or two.
struct EngineCase {
  test_support::TempDir folder;
  AwgnChannel channel{kDimension, kSigma};
  at::Tensor signals = rank_two_signals(2000, kDimension);
  at::Tensor observed = channel.simulate(signals, {}, RandomKey(5), at::arange(2000, at::kLong));
  TrainSettings settings;

  EngineCase() {
    at::set_num_threads(1);  // the tensors are too small for more
    write_rows(folder / "observed.h5", DatasetKind::observations, observed);
    write_rows(folder / "signals.h5", DatasetKind::signals, signals);
    settings.data.observations = (folder / "observed.h5").string();
    settings.data.early_stop_rows = 128;
    settings.data.test_rows = 128;
    settings.interpolant.time_levels = 8;
    settings.model.width = 32;
    settings.model.depth = 1;
    settings.transport.steps = 8;
    settings.transport.restore_steps = 8;
    settings.start.components = 2;
    settings.start.probes = 2048;
    settings.scsi.steps = 60;
    settings.scsi.batch = 64;
    settings.scsi.pool = 512;
    settings.scsi.refresh_rows = 64;
    settings.scsi.first_refresh = 8;
    settings.run.evaluate_every = 30;
    settings.run.checkpoint_every = 20;
  }
};

/// Every tensor of the last checkpoints of runs `a` and `b`, bit for bit.
inline void expect_same_checkpoint(const EngineCase& c, const std::string& a, const std::string& b) {
  const TensorFile left = read_tensor_file(RunFolder::checkpoint_path(c.folder / a));
  const TensorFile right = read_tensor_file(RunFolder::checkpoint_path(c.folder / b));
  ASSERT_EQ(left.tensors.size(), right.tensors.size());
  for (const auto& [name, tensor] : left.tensors) EXPECT_TRUE(at::equal(tensor, right.tensors.at(name))) << name;
}

}  // namespace unchannel
