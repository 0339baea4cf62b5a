// What the functions of a channel receive: typed rows of the tensors, keys and ids, and a loop over the samples of the batch.
#ifndef UNCHANNEL_SDK_CALL_HPP
#define UNCHANNEL_SDK_CALL_HPP

#include <unchannel/channel.h>
#include <unchannel/sdk/declare.hpp>
#include <unchannel/sdk/error.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace unchannel::sdk {

/// [B, width]; rows[i] is the i-th sample. Empty (false) when the host passed no tensor.
template <class Value>
class Rows {
 public:
  Rows() = default;
  Rows(Value* data, int64_t width) : data_(data), width_(width) {}
  explicit operator bool() const { return data_ != nullptr; }
  [[nodiscard]] int64_t width() const { return width_; }
  std::span<Value> operator[](int64_t i) const { return {data_ + i * width_, static_cast<size_t>(width_)}; }

 private:
  Value* data_ = nullptr;
  int64_t width_ = 0;
};

namespace detail {

template <class Value>
Rows<Value> rows(const unchannel_tensor* t, int64_t count, const Shape& shape, const char* what, const unchannel_device& device) {
  using Plain = std::remove_const_t<Value>;
  if (t == nullptr) {
    throw bad_argument(what, " is missing.");
  }
  constexpr uint8_t kCode = std::is_same_v<Plain, float> ? UNCHANNEL_DTYPE_FLOAT : UNCHANNEL_DTYPE_INT;
  if (t->dtype.code != kCode || t->dtype.bits != 8 * sizeof(Plain) || t->dtype.lanes != 1) {
    throw bad_argument(what, " has the wrong element type.");
  }
  if (t->device.type != device.type || (device.type != UNCHANNEL_DEVICE_CPU && t->device.index != device.index)) {
    throw bad_argument(what, " is not in the memory of the batch's device.");
  }
  bool fits = t->ndim == static_cast<int32_t>(shape.size()) + 1 && t->shape != nullptr && t->strides != nullptr && t->shape[0] == count;
  int64_t width = 1;
  for (size_t axis = shape.size(); fits && axis > 0; --axis) {
    fits = t->shape[axis] == shape[axis - 1] && (shape[axis - 1] == 1 || t->strides[axis] == width);
    width *= shape[axis - 1];
  }
  if (!fits || (count > 1 && t->strides[0] != width) || t->byte_offset != 0) {
    throw bad_argument(what, " has the wrong shape or is not contiguous.");
  }
  if (t->data == nullptr && count * width > 0) {
    throw bad_argument(what, " has no data.");
  }
  return {static_cast<Value*>(t->data), width};
}

template <class Table>
const Table* service(const unchannel_host* host, const char* id) {
  return host != nullptr && host->get_service != nullptr ? static_cast<const Table*>(host->get_service(host, id)) : nullptr;
}

}  // namespace detail

/// What all batch calls share.
class Call {
 public:
  Call(const unchannel_host* host, const unchannel_batch& batch, const unchannel_tensor* const* latents, uint32_t latent_count)
      : batch_(batch), host_(host), latents_(latents), latent_count_(latent_count) {
    if (batch.count < 0 || (batch.count > 0 && (batch.ids == nullptr || batch.sample_status == nullptr))) {
      throw bad_argument("the batch has no ids or no sample_status.");
    }
  }

  [[nodiscard]] int64_t count() const { return batch_.count; }
  [[nodiscard]] uint64_t key() const { return batch_.key; }
  [[nodiscard]] uint64_t id(int64_t i) const { return batch_.ids[i]; }
  /// CUDA only for a class with cuda_operations(), see channel.hpp: then every row, the ids, sample_status and the workspace are in the
  /// memory of that device, and id() and for_each() are not for them.
  [[nodiscard]] bool on_cuda() const { return batch_.device.type == UNCHANNEL_DEVICE_CUDA; }
  [[nodiscard]] const unchannel_batch& batch() const { return batch_; }
  [[nodiscard]] void* workspace() const { return batch_.workspace; }
  [[nodiscard]] uint64_t workspace_bytes() const { return batch_.workspace_bytes; }

  /// Rows of an active latent to read. Throws when the host left it out; see has().
  template <class Value>
  [[nodiscard]] Rows<const Value> latent(const Latent<Value>& latent) const {
    return detail::rows<const Value>(tensor(latent), count(), latent.shape(), latent.about().id, batch_.device);
  }
  [[nodiscard]] bool has(const LatentBase& latent) const { return tensor(latent) != nullptr; }

  /// body(i) for every sample, on the host's thread pool where it has one. An exception costs that sample only: sample_status is set and
  /// its output rows are zeroed. Throws Failure(CANCELLED) when the host asks to stop. samples_per_task: large enough to outweigh a task
  /// switch.
  template <class Body>
  void for_each(Body&& body, int64_t samples_per_task = 16) const {
    for_each([] { return 0; }, [&body](int, int64_t i) { body(i); }, samples_per_task);
  }
  /// body(state, i) with one state = make_state() for each task: scratch memory, plans.
  template <class MakeState, class Body>
  requires std::is_invocable_v<MakeState>
  void for_each(MakeState&& make_state, Body&& body, int64_t samples_per_task = 16) const {
    if (on_cuda()) {
      throw instance_broken("for_each() walks CPU memory, and the batch is in that of a CUDA device.");
    }
    const auto* stop = detail::service<unchannel_host_should_stop_1>(host_, UNCHANNEL_SERVICE_SHOULD_STOP_1);
    std::atomic<int32_t> failure{UNCHANNEL_OK};
    auto range = [&](int64_t begin, int64_t end) noexcept {
      if (stop != nullptr && stop->should_stop(host_) != 0) {
        failure = UNCHANNEL_CANCELLED;
      }
      if (failure != UNCHANNEL_OK) {
        return;
      }
      try {
        auto state = make_state();
        for (int64_t i = begin; i < end; ++i) {
          one(state, i, body);
        }
      } catch (...) {  // only memory can fail here
        failure = UNCHANNEL_RETRYABLE;
      }
    };
    using Range = decltype(range);
    const auto* pool = detail::service<unchannel_host_thread_pool_1>(host_, UNCHANNEL_SERVICE_THREAD_POOL_1);
    if (pool != nullptr && pool->thread_count(host_) > 1 && count() > samples_per_task) {
      const int32_t status = pool->run(
          host_, count(), samples_per_task,
          [](void* user, int64_t begin, int64_t end, uint32_t) { (*static_cast<Range*>(user))(begin, end); }, &range);
      if (status != UNCHANNEL_OK && failure == UNCHANNEL_OK) {
        failure = status;
      }
    } else {
      for (int64_t begin = 0; begin < count(); begin += samples_per_task) {
        range(begin, std::min(count(), begin + samples_per_task));
      }
    }
    if (failure != UNCHANNEL_OK) {
      throw Failure(failure, failure == UNCHANNEL_CANCELLED ? "stopped as the host asked" : "out of memory");
    }
  }

 protected:
  [[nodiscard]] const unchannel_tensor* tensor(const LatentBase& latent) const {
    return latents_ != nullptr && latent.index() < latent_count_ ? latents_[latent.index()] : nullptr;
  }
  /// Zeroed where a sample fails, because outputs must be finite.
  template <class Value>
  Rows<Value> output(Rows<Value> rows) {
    if constexpr (std::is_same_v<Value, float>) {
      outputs_.push_back(rows);
    }
    return rows;
  }
  unchannel_batch batch_;

 private:
  template <class State, class Body>
  void one(State& state, int64_t i, Body& body) const {
    int32_t status = UNCHANNEL_SAMPLE_OK;
    try {
      body(state, i);
      return;
    } catch (const SampleFailure& failed) {
      status = failed.sample_status();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      status = UNCHANNEL_SAMPLE_FAILED;
    }
    batch_.sample_status[i] = status;
    for (const Rows<float>& rows : outputs_) {
      std::ranges::fill(rows[i], 0.0F);
    }
  }

  const unchannel_host* host_;
  const unchannel_tensor* const* latents_;
  uint32_t latent_count_;
  std::vector<Rows<float>> outputs_;
};

/// Shapes that the configuration in force has.
struct Shapes {
  Shape x, y;
};

class DrawCall : public Call {
 public:
  using Args = unchannel_draw_latents_args;
  DrawCall(const unchannel_host* host, const unchannel_batch& batch, const Args& a, const Shapes& s)
      : Call(host, batch, a.latents, a.latent_count) {
    if (a.x != nullptr) {
      x = detail::rows<const float>(a.x, count(), s.x, "x", batch_.device);
    }
  }
  Rows<const float> x;  ///< empty unless a latent that depends on x is wanted
  /// Rows to be written; empty when the host does not want this latent drawn.
  template <class Value>
  [[nodiscard]] Rows<Value> draw(const Latent<Value>& latent) const {
    return has(latent) ? detail::rows<Value>(tensor(latent), count(), latent.shape(), latent.about().id, batch_.device) : Rows<Value>();
  }
};

/// The remaining calls differ only in the names and roles of their tensors.
#define UNCHANNEL_SDK_CALL(Name, args_struct, members, ...)                                                         \
  class Name : public Call {                                                                                        \
   public:                                                                                                          \
    using Args = args_struct;                                                                                       \
    Name(const unchannel_host* host, const unchannel_batch& batch, const Args& a, [[maybe_unused]] const Shapes& s) \
        : Call(host, batch, a.latents, a.latent_count){__VA_ARGS__} members                                         \
  };
#define UNCHANNEL_SDK_IN(name, shape) name = detail::rows<const float>(a.name, count(), s.shape, #name, batch_.device);
#define UNCHANNEL_SDK_OUT(name, shape) name = output(detail::rows<float>(a.name, count(), s.shape, #name, batch_.device));

UNCHANNEL_SDK_CALL(SimulateCall, unchannel_simulate_args, Rows<const float> x; Rows<float> y;
                   , UNCHANNEL_SDK_IN(x, x) UNCHANNEL_SDK_OUT(y, y))
UNCHANNEL_SDK_CALL(LiftCall, unchannel_lift_args, Rows<const float> y; Rows<float> lifted;
                   , UNCHANNEL_SDK_IN(y, y) UNCHANNEL_SDK_OUT(lifted, x))
UNCHANNEL_SDK_CALL(MeanCall, unchannel_mean_args, Rows<const float> x; Rows<float> mean;, UNCHANNEL_SDK_IN(x, x) UNCHANNEL_SDK_OUT(mean, y))
UNCHANNEL_SDK_CALL(VjpCall, unchannel_vjp_args, Rows<const float> x; Rows<const float> cotangent; Rows<float> gradient;
                   , UNCHANNEL_SDK_IN(x, x) UNCHANNEL_SDK_IN(cotangent, y) UNCHANNEL_SDK_OUT(gradient, x))
UNCHANNEL_SDK_CALL(JvpCall, unchannel_jvp_args, Rows<const float> x; Rows<const float> tangent; Rows<float> derivative;
                   , UNCHANNEL_SDK_IN(x, x) UNCHANNEL_SDK_IN(tangent, x) UNCHANNEL_SDK_OUT(derivative, y))
UNCHANNEL_SDK_CALL(AdjointCall, unchannel_adjoint_args, Rows<const float> y; Rows<float> x;, UNCHANNEL_SDK_IN(y, y) UNCHANNEL_SDK_OUT(x, x))
#undef UNCHANNEL_SDK_CALL
#undef UNCHANNEL_SDK_IN
#undef UNCHANNEL_SDK_OUT

class LoglikCall : public Call {
 public:
  using Args = unchannel_loglik_args;
  LoglikCall(const unchannel_host* host, const unchannel_batch& batch, const Args& a, const Shapes& s)
      : Call(host, batch, a.latents, a.latent_count) {
    if (a.loglik == nullptr && count() > 0) {
      throw bad_argument("loglik is missing.");
    }
    y = detail::rows<const float>(a.y, count(), s.y, "y", batch_.device);
    x = detail::rows<const float>(a.x, count(), s.x, "x", batch_.device);
    loglik = {a.loglik, static_cast<size_t>(count())};
    if (!on_cuda()) {
      std::ranges::fill(loglik, 0.0);  // what a failed sample keeps
    }
    if (a.gradient != nullptr) {
      gradient = output(detail::rows<float>(a.gradient, count(), s.x, "gradient", batch_.device));
    }
  }
  Rows<const float> y;
  Rows<const float> x;
  std::span<double> loglik;  ///< [B]
  Rows<float> gradient;      ///< empty: not wanted
};

}  // namespace unchannel::sdk

#endif
