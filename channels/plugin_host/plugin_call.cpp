#include "plugin_call.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <thread>
#include <unchannel/base/error.hpp>

#include "host.hpp"
#include "process_state.hpp"

namespace unchannel {
namespace {

constexpr int kAttempts = 3;
constexpr std::int64_t kElementsPerPart = 8192;  // below this a part costs less than handing it to another thread

/// Looks at whole blocks, whose loop compilers make vector code of at -O2 too: results of megabytes are looked through after every call.
bool row_is_finite(const float* row, std::int64_t size) {
  constexpr std::uint32_t kExponent = 0x7F800000u;
  constexpr std::int64_t kBlock = 256;
  const auto bad_in = [](const float* values, std::int64_t count) {
    std::uint32_t bad = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, values + i, sizeof bits);
      bad |= static_cast<std::uint32_t>((bits & kExponent) == kExponent);
    }
    return bad;
  };
  std::int64_t i = 0;
  for (; i + kBlock <= size; i += kBlock) {
    if (bad_in(row + i, kBlock) != 0) return false;
  }
  return bad_in(row + i, size - i) == 0;
}

struct PartOutcome {
  std::int32_t status = UNCHANNEL_OK;
  std::string error;
};

PartOutcome run_part(const CallFrame& frame, const std::uint64_t* ids, std::int32_t* sample_status, std::int64_t begin, std::int64_t count,
                     const std::function<std::int32_t(CallTensors&, const unchannel_batch&)>& call) {
  const auto workspace =
      frame.workspaces->take(frame.workspace_bytes + static_cast<std::uint64_t>(count) * frame.workspace_bytes_per_sample);
  unchannel_batch batch{};
  batch.struct_size = sizeof batch;
  batch.key = frame.key;
  batch.ids = ids + begin;
  batch.count = count;
  batch.sample_status = sample_status + begin;
  batch.workspace = workspace.data();
  batch.workspace_bytes = workspace.bytes();
  batch.device = {UNCHANNEL_DEVICE_CPU, 0};
  PartOutcome outcome;
  for (int attempt = 1;; ++attempt) {
    CallTensors tensors(begin, count);
    std::fill_n(batch.sample_status, count, UNCHANNEL_SAMPLE_OK);
    take_plugin_error();
    const std::uint64_t mode = float_control();
    outcome.status = call(tensors, batch);
    outcome.error = take_plugin_error();
    if (float_control() != mode) {
      set_float_control(mode);
      outcome.status = UNCHANNEL_INSTANCE_BROKEN;
      outcome.error = "it returned with another floating-point mode (MXCSR or FPCR) than it found.";
    }
    if (outcome.status == UNCHANNEL_OK && frame.settle) tensors.settle(batch.sample_status);
    if (outcome.status != UNCHANNEL_RETRYABLE || attempt == kAttempts) return outcome;
    std::this_thread::sleep_for(std::chrono::milliseconds(40 * attempt * attempt));
  }
}

}  // namespace

std::string sample_status_text(std::int32_t status) {
  switch (status) {
    case kSampleCrashed:
      return "its worker process died twice";
    case UNCHANNEL_SAMPLE_OK:
      return "fine";
    case UNCHANNEL_SAMPLE_FAILED:
      return "the simulator failed";
    case UNCHANNEL_SAMPLE_OUT_OF_DOMAIN:
      return "outside what the channel models";
    case UNCHANNEL_SAMPLE_NOT_FINITE:
      return "non-finite input or result";
    default:
      return fmt::format("the plugin's code {}", status);
  }
}

std::int64_t element_count(const ChannelShape& shape, const std::string& what) {
  constexpr std::int64_t kMost = INT64_MAX / 16;  // elements of 8 bytes, and a sum of two shapes
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    const bool possible = extent >= 1 && !__builtin_mul_overflow(count, extent, &count) && count <= kMost;
    check<PluginError>(possible, "{} has an impossible shape (an axis of length {}).", what, extent);
  }
  return count;
}

unchannel_dtype latent_dtype(std::int32_t latent_type) {
  if (latent_type == UNCHANNEL_LATENT_F32) return kFloat32;
  return {UNCHANNEL_DTYPE_INT, static_cast<std::uint8_t>(latent_type == UNCHANNEL_LATENT_I32 ? 32 : 64), 1};
}

std::int64_t latent_bytes(std::int32_t latent_type) { return latent_type == UNCHANNEL_LATENT_I64 ? 8 : 4; }

CallTensors::Storage& CallTensors::add(const void* data, const ChannelShape& shape, unchannel_dtype dtype) {
  Storage& storage = storage_.emplace_back();
  storage.shape.reserve(shape.size() + 1);
  storage.shape.push_back(count_);
  storage.shape.insert(storage.shape.end(), shape.begin(), shape.end());
  storage.strides.resize(storage.shape.size());
  std::int64_t stride = 1;
  for (std::size_t axis = storage.shape.size(); axis-- > 0;) {
    storage.strides[axis] = stride;
    if (axis > 0) stride *= storage.shape[axis];
  }
  storage.row_bytes = stride * (dtype.bits / 8);
  // The plugin promises not to write to what it reads; the C layout has no const.
  storage.tensor.data = const_cast<char*>(static_cast<const char*>(data) + begin_ * storage.row_bytes);
  storage.tensor.device = {UNCHANNEL_DEVICE_CPU, 0};
  storage.tensor.ndim = static_cast<std::int32_t>(storage.shape.size());
  storage.tensor.dtype = dtype;
  storage.tensor.shape = storage.shape.data();
  storage.tensor.strides = storage.strides.data();
  return storage;
}

const unchannel_tensor* CallTensors::in(const void* data, const ChannelShape& shape, unchannel_dtype dtype) {
  return data ? &add(data, shape, dtype).tensor : nullptr;
}

const unchannel_tensor* CallTensors::out(void* data, const ChannelShape& shape, unchannel_dtype dtype, const void* source) {
  if (!data) return nullptr;
  Storage& storage = add(data, shape, dtype);
  if (source) storage.source = static_cast<const char*>(source) + begin_ * storage.row_bytes;
  outputs_.push_back(&storage);
  return &storage.tensor;
}

double* CallTensors::out(double* data, const double* source) {
  if (source) doubles_source_ = source + begin_;
  return doubles_ = data + begin_;
}

void CallTensors::settle(std::int32_t* sample_status) const {
  for (std::int64_t i = 0; i < count_; ++i) {
    if (doubles_source_) doubles_[i] = doubles_source_[i];
    bool finite = !doubles_ || std::isfinite(doubles_[i]);
    for (const Storage* output : outputs_) {
      const std::int64_t row_begin = i * output->row_bytes;
      if (output->source) {
        std::memcpy(static_cast<char*>(output->tensor.data) + row_begin, output->source + row_begin,
                    static_cast<std::size_t>(output->row_bytes));
      }
      if (output->tensor.dtype.code != UNCHANNEL_DTYPE_FLOAT) continue;
      const auto* row = reinterpret_cast<const float*>(static_cast<const char*>(output->tensor.data) + row_begin);
      finite = finite && row_is_finite(row, output->row_bytes / 4);
    }
    if (!finite && sample_status[i] == UNCHANNEL_SAMPLE_OK) sample_status[i] = UNCHANNEL_SAMPLE_NOT_FINITE;
    if (sample_status[i] == UNCHANNEL_SAMPLE_OK) continue;
    for (const Storage* output : outputs_) {
      std::memset(static_cast<char*>(output->tensor.data) + i * output->row_bytes, 0, static_cast<std::size_t>(output->row_bytes));
    }
    if (doubles_) doubles_[i] = 0.0;
  }
}

CallOutcome run_call(const CallFrame& frame, std::span<const std::uint64_t> ids, std::int64_t count,
                     const std::function<std::int32_t(CallTensors&, const unchannel_batch&)>& call) {
  CallOutcome outcome;
  std::vector<std::uint64_t> counted;
  if (ids.empty()) {
    counted.resize(static_cast<std::size_t>(count));
    std::iota(counted.begin(), counted.end(), std::uint64_t{0});
    ids = counted;
  }
  std::vector<std::int32_t> sample_status(static_cast<std::size_t>(count), UNCHANNEL_SAMPLE_OK);
  std::mutex mutex;
  const auto part = [&](std::int64_t begin, std::int64_t end, std::uint32_t) {
    PartOutcome done;
    try {
      done = run_part(frame, ids.data(), sample_status.data(), begin, end - begin, call);
    } catch (const std::exception& error) {  // memory: must not leave a pool thread
      done = {UNCHANNEL_RETRYABLE, error.what()};
    }
    if (done.status == UNCHANNEL_OK) return;
    const std::lock_guard lock(mutex);
    if (done.status > outcome.status || done.status < 0) outcome.status = done.status, outcome.error = done.error;
  };
  const std::int64_t threads = frame.pool->threads();
  const std::int64_t smallest = std::max<std::int64_t>(1, kElementsPerPart / std::max<std::int64_t>(1, frame.elements_per_sample));
  const std::int64_t grain = std::max(smallest, (count + 4 * threads - 1) / (4 * threads));
  if (frame.split && threads > 1 && count > grain) {
    frame.pool->run(count, grain, part);
  } else {
    part(0, count, 0);
  }
  for (std::int64_t i = 0; outcome.status == UNCHANNEL_OK && i < count; ++i) {
    if (sample_status[i] != UNCHANNEL_SAMPLE_OK) outcome.failures.push_back({i, ids[i], sample_status[i]});
  }
  return outcome;
}

}  // namespace unchannel
