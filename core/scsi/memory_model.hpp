#pragma once

#include <cstdint>
#include <string>

#include <unchannel/base/error.hpp>

#include "settings.hpp"

namespace unchannel {

/// The memory was too small (exit 5, as in DESIGN's table for what a computation could not do).
class OutOfMemoryError final : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 5; }
};

/// Whether an exception's text is that of an allocation which failed: LibTorch and oneDNN have types of their own for it.
bool is_out_of_memory(const std::string& what);

/// Sizes of a training that cost memory.
struct TrainingSizes {
  std::int64_t batch = 0, pool = 0, transport_batch = 0, buffer_mib = 0;

  bool operator==(const TrainingSizes&) const = default;
};

/// Bytes that a training holds beyond the program itself, linear in its sizes:
///   fixed + pool · pool_row + min(buffer, file) + max(batch · step_signal, transport_batch · transport_row)
/// The coefficients are measured by a few small steps (trial.hpp). Memory of plugins and of oneDNN's scratch pads is not in them.
struct MemoryModel {
  std::int64_t network_bytes = 0;        ///< student, EMA, gradients, two moments
  std::int64_t fixed_bytes = 0;          ///< what a step holds whatever its sizes, network included
  std::int64_t pool_row_bytes = 0;
  std::int64_t file_bytes = 0;           ///< of the training rows: a larger window holds no more
  std::int64_t step_signal_bytes = 0;    ///< for each of scsi.batch signals of a step
  std::int64_t transport_row_bytes = 0;  ///< for each of transport.batch rows

  std::int64_t buffer_bytes(const TrainingSizes& sizes) const;
  std::int64_t total_bytes(const TrainingSizes& sizes) const;

  /// The largest sizes up to `wanted` that fit into `available_bytes`, found by halving what takes most: of the buffer (not below 16 MiB),
  /// of the two batches, of the pool. All zero when nothing does.
  TrainingSizes fitting(TrainingSizes wanted, std::int64_t available_bytes) const;
};

/// Those of a training; transports never take more rows at once than there are to transport.
TrainingSizes sizes_of(const TrainSettings& settings);

/// Bytes this process may still take: the least of what the machine, its control group and the limit of its address space leave.
std::int64_t available_memory_bytes();

/// "1.5 GiB", "20 MiB".
std::string format_bytes(std::int64_t bytes);

/// What to say after a training of `wanted` sizes did not fit into `available_bytes`: what it needs for what, and sizes that would fit.
std::string out_of_memory_message(const MemoryModel& model, const TrainingSizes& wanted, std::int64_t available_bytes);

}  // namespace unchannel
