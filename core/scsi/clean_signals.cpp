#include "clean_signals.hpp"

#include <ATen/ATen.h>

#include "observed_rows.hpp"

namespace unchannel {

CleanSignals::CleanSignals(const DataSettings& settings, const Channel& channel) : reader_(settings.clean_signals, DatasetKind::signals) {
  check_row_size(reader_, channel);
  const std::uint64_t held_bytes = static_cast<std::uint64_t>(settings.buffer_mib) << 20;
  if (reader_.rows() <= held_bytes / (sizeof(float) * reader_.dim())) held_ND_ = read_rows(reader_, row_range(0, reader_.rows()));
}

at::Tensor CleanSignals::rows(const at::Tensor& index_B) const {
  if (held_ND_.defined()) return held_ND_.index_select(0, index_B);
  const std::int64_t* index = index_B.const_data_ptr<std::int64_t>();
  return read_rows(reader_, std::vector<std::uint64_t>(index, index + index_B.numel()));
}

}  // namespace unchannel
