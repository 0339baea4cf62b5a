// cpu-gpu-parity, stream-order. Their declarations are checked on any machine; the rest needs a CUDA device, and says so.
#include <array>
#include <filesystem>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

struct CudaOperation {
  std::uint64_t bit;
  const char* extension;  // nullptr: in core/1
};
constexpr std::array kOperations = {
    CudaOperation{UNCHANNEL_CUDA_DRAW_LATENTS, nullptr},        CudaOperation{UNCHANNEL_CUDA_SIMULATE, nullptr},
    CudaOperation{UNCHANNEL_CUDA_LIFT, UNCHANNEL_LIFT_1},       CudaOperation{UNCHANNEL_CUDA_MEAN, UNCHANNEL_MEAN_1},
    CudaOperation{UNCHANNEL_CUDA_VJP, UNCHANNEL_VJP_1},         CudaOperation{UNCHANNEL_CUDA_JVP, UNCHANNEL_JVP_1},
    CudaOperation{UNCHANNEL_CUDA_ADJOINT, UNCHANNEL_ADJOINT_1}, CudaOperation{UNCHANNEL_CUDA_LOGLIK, UNCHANNEL_LOGLIK_1}};

const unchannel_cuda_1& cuda_table(const Instance& instance) {
  const auto* cuda = instance.extension<unchannel_cuda_1>(UNCHANNEL_CUDA_1);
  if (!cuda) throw CheckSkipped("the channel has no cuda/1.");
  check<CheckFailed>(cuda->operations && cuda->prepare && cuda->release, "the table 'cuda/1' has empty entries.");
  return *cuda;
}

[[noreturn]] void need_device() {
  std::error_code error;
  const bool present = std::filesystem::exists("/dev/nvidia0", error);
  throw CheckUntested(present ? "there is a CUDA device, but this version of the checker cannot drive one yet; the declarations are right."
                              : "needs a CUDA device, and this machine has none; the declarations are right.");
}

}  // namespace

void check_cpu_gpu_parity(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const unchannel_cuda_1& cuda = cuda_table(*instance);
  std::uint64_t left = cuda.operations(instance->raw());
  detail["operations"] = left;
  check<CheckFailed>(left != 0, "cuda/1 is offered, and operations() is 0.");
  for (const CudaOperation& item : kOperations) {
    if ((left & item.bit) == 0) continue;
    left &= ~item.bit;
    check<CheckFailed>(!item.extension || instance->extension<void>(item.extension),
                       "operations() claims {}, which the channel does not offer.", item.extension);
  }
  check<CheckFailed>(left == 0, "operations() has unknown bits ({:#x}).", left);
  need_device();
}

void check_stream_order(const CheckRequest& request, nlohmann::json&) {
  Subject subject(request);
  const auto instance = subject.configured();
  const unchannel_cuda_1& cuda = cuda_table(*instance);
  for (const std::int32_t absent : {-1, 1 << 20}) {
    take_plugin_error();
    const std::int32_t status = cuda.prepare(instance->raw(), absent);
    const std::string error = take_plugin_error();
    check<CheckFailed>(status != UNCHANNEL_OK, "prepare accepts device {}, which does not exist.", absent);
    check<CheckFailed>(!error.empty(), "prepare refuses device {} without a reason (set_error was not called).", absent);
  }
  const Batch batch = make_batch(*instance, 3);  // the instance must still be usable on the CPU
  call_ok(*instance, Operation::simulate, batch);
  need_device();
}

}  // namespace unchannel::conformance
