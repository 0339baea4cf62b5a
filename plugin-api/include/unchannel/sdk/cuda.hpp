// cuda/1 of a C++ channel: which classes offer it, and which calls may come with CUDA tensors. See channel.hpp.
#ifndef UNCHANNEL_SDK_CUDA_HPP
#define UNCHANNEL_SDK_CUDA_HPP

#include <unchannel/channel.h>
#include <unchannel/sdk/call.hpp>
#include <unchannel/sdk/error.hpp>

#include <concepts>

namespace unchannel::sdk::detail {

template <class C>
concept TakesCuda = requires(C& channel, const C& fixed, int32_t device) {
  { fixed.cuda_operations() } -> std::convertible_to<uint64_t>;
  channel.cuda_prepare(device);
  channel.cuda_release(device);
};

template <class CallType>
inline constexpr uint64_t kCudaOperation = 0;
template <>
inline constexpr uint64_t kCudaOperation<DrawCall> = UNCHANNEL_CUDA_DRAW_LATENTS;
template <>
inline constexpr uint64_t kCudaOperation<SimulateCall> = UNCHANNEL_CUDA_SIMULATE;
template <>
inline constexpr uint64_t kCudaOperation<LiftCall> = UNCHANNEL_CUDA_LIFT;
template <>
inline constexpr uint64_t kCudaOperation<MeanCall> = UNCHANNEL_CUDA_MEAN;
template <>
inline constexpr uint64_t kCudaOperation<VjpCall> = UNCHANNEL_CUDA_VJP;
template <>
inline constexpr uint64_t kCudaOperation<JvpCall> = UNCHANNEL_CUDA_JVP;
template <>
inline constexpr uint64_t kCudaOperation<AdjointCall> = UNCHANNEL_CUDA_ADJOINT;
template <>
inline constexpr uint64_t kCudaOperation<LoglikCall> = UNCHANNEL_CUDA_LOGLIK;

/// Throws unless the batch is in CPU memory, or in that of a CUDA device and this call of the class takes it.
template <class C, class CallType>
void require_device(const C& channel, const unchannel_batch& batch) {
  if (batch.device.type == UNCHANNEL_DEVICE_CPU) {
    return;
  }
  if constexpr (TakesCuda<C>) {
    if (batch.device.type == UNCHANNEL_DEVICE_CUDA && (channel.cuda_operations() & kCudaOperation<CallType>) != 0) {
      return;
    }
    throw bad_argument("this call takes no tensors of device type ", batch.device.type, ": see operations() of cuda/1.");
  }
  (void)channel;
  throw bad_argument("this channel has no cuda/1: the batch must be in CPU memory.");
}

/// Before the first configure: nothing can be called, so no operation.
template <class C>
uint64_t cuda_operations(const C* active) noexcept {
  return active != nullptr ? active->cuda_operations() : 0;
}

template <class Instance>
int32_t cuda_prepare(Instance& instance, int32_t device) noexcept {
  return guarded(instance.host, UNCHANNEL_INSTANCE_BROKEN, [&] {
    if (!instance.active) {
      throw bad_argument("the channel is not configured: call configure before prepare.");
    }
    instance.active->cuda_prepare(device);
  });
}

}  // namespace unchannel::sdk::detail

#endif
