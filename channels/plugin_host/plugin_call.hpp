#pragma once

#include <unchannel/channel.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "thread_pool.hpp"
#include "workspace.hpp"

namespace unchannel {

/// A sample that the plugin could not do, or whose result was not finite. Its output rows hold zeros; it must get weight zero.
struct PluginSampleFailure {
  std::int64_t index = 0;  ///< in the batch
  std::uint64_t id = 0;
  std::int32_t status = 0;  ///< UNCHANNEL_SAMPLE_*
};
using PluginSampleFailures = std::vector<PluginSampleFailure>;

/// The host's own sample status: the worker process died on this sample twice.
constexpr std::int32_t kSampleCrashed = -1;

/// "out of the channel's domain", "non-finite input or result", "the plugin's code 1003".
std::string sample_status_text(std::int32_t status);

using ChannelShape = std::vector<std::int64_t>;

/// Elements of one sample of this shape. Throws PluginError when an extent is below 1 or the product does not fit.
std::int64_t element_count(const ChannelShape& shape, const std::string& what);

constexpr unchannel_dtype kFloat32{UNCHANNEL_DTYPE_FLOAT, 32, 1};
unchannel_dtype latent_dtype(std::int32_t latent_type);
std::int64_t latent_bytes(std::int32_t latent_type);

/// The tensors of one call for the samples begin … begin + count − 1 of buffers that hold the whole batch. Lives as long as the call.
class CallTensors {
 public:
  CallTensors(std::int64_t begin, std::int64_t count) : begin_(begin), count_(count) {}
  CallTensors(const CallTensors&) = delete;
  CallTensors& operator=(const CallTensors&) = delete;

  /// NULL for a null `data`.
  const unchannel_tensor* in(const void* data, const ChannelShape& shape, unchannel_dtype dtype = kFloat32);
  /// Remembered: float32 outputs are checked afterwards and zeroed where a sample failed. `source`: where settle takes the rows from;
  /// nullptr: they are in `data` already.
  const unchannel_tensor* out(void* data, const ChannelShape& shape, unchannel_dtype dtype = kFloat32, const void* source = nullptr);
  /// The part of a double per sample that belongs to this call.
  double* out(double* data, const double* source = nullptr);

  std::int64_t begin() const noexcept { return begin_; }
  std::int64_t count() const noexcept { return count_; }

  /// Fetches rows that lie elsewhere, sets sample_status [count] of samples with non-finite outputs and zeroes the rows of all failed ones.
  void settle(std::int32_t* sample_status) const;

 private:
  struct Storage {
    unchannel_tensor tensor{};
    ChannelShape shape, strides;
    std::int64_t row_bytes = 0;
    const char* source = nullptr;  // of the first row; nullptr: the rows are in place
  };
  Storage& add(const void* data, const ChannelShape& shape, unchannel_dtype dtype);

  std::int64_t begin_, count_;
  std::deque<Storage> storage_;
  std::vector<const Storage*> outputs_;
  double* doubles_ = nullptr;
  const double* doubles_source_ = nullptr;
};

/// What a batch call needs to know about the configured channel.
struct CallFrame {
  std::string name;  ///< "file.so: channel id: simulate"
  std::uint64_t key = 0;
  std::uint64_t workspace_bytes = 0, workspace_bytes_per_sample = 0;
  bool split = false;                    ///< samples may be shared out over threads
  std::int64_t elements_per_sample = 0;  ///< work of a sample, to choose the size of the parts
  bool settle = true;                    ///< look for non-finite results; false: whoever asked does
  ThreadPool* pool = nullptr;
  WorkspacePool* workspaces = nullptr;
};

struct CallOutcome {
  std::int32_t status = UNCHANNEL_OK;  ///< the worst of all parts
  std::string error;                   ///< its text
  PluginSampleFailures failures;       ///< by index
};

/// Runs a batch call, in parts where that is allowed; RETRYABLE parts are tried three times. `ids` empty: 0, 1, 2, …
CallOutcome run_call(const CallFrame& frame, std::span<const std::uint64_t> ids, std::int64_t count,
                     const std::function<std::int32_t(CallTensors&, const unchannel_batch&)>& call);

}  // namespace unchannel
