#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include <unchannel/data/dataset.hpp>
#include <unchannel/measurement/channel.hpp>

#include "settings.hpp"

// Shape legend: N rows of the file · B batch · D data dimension
namespace unchannel {

/// Clean signals that belong to no observation (data.clean_signals). A file no larger than data.buffer_mib is held in memory; of a larger
/// one each step reads the rows it needs. The rows are the same either way.
class CleanSignals {
 public:
  /// Throws DataError, ShapeError (file and channel disagree).
  CleanSignals(const DataSettings& settings, const Channel& channel);

  std::int64_t count() const { return static_cast<std::int64_t>(reader_.rows()); }
  /// index_B int64 in [0, count) → [B, D].
  at::Tensor rows(const at::Tensor& index_B) const;

 private:
  DatasetReader reader_;
  at::Tensor held_ND_;  ///< undefined when the file is read by steps
};

}  // namespace unchannel
