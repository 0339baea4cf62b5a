// cpu-gpu-parity, stream-order. What they declare is checked on any machine; the rest needs a CUDA device, and says so where there is none.
#include <array>
#include <cmath>

#include "checks.hpp"
#include "cuda_call.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

struct CudaOperation {
  std::uint64_t bit;
  Operation operation;
};
constexpr std::array kOperations = {CudaOperation{UNCHANNEL_CUDA_DRAW_LATENTS, Operation::draw_latents},
                                    CudaOperation{UNCHANNEL_CUDA_SIMULATE, Operation::simulate},
                                    CudaOperation{UNCHANNEL_CUDA_LIFT, Operation::lift},
                                    CudaOperation{UNCHANNEL_CUDA_MEAN, Operation::mean},
                                    CudaOperation{UNCHANNEL_CUDA_VJP, Operation::vjp},
                                    CudaOperation{UNCHANNEL_CUDA_JVP, Operation::jvp},
                                    CudaOperation{UNCHANNEL_CUDA_ADJOINT, Operation::adjoint},
                                    CudaOperation{UNCHANNEL_CUDA_LOGLIK, Operation::loglik}};

// Relative L2 distance of a sample. Float32 sums in other orders differ by some 1e-6; a simulator that rounds (photon counts) may besides
// fall on the other side now and then, but other numbers altogether would be as far off as the noise is large.
constexpr double kTolerance = 1e-4, kSimulateTolerance = 1e-3;

const unchannel_cuda_1& cuda_table(const Instance& instance) {
  const auto* cuda = instance.extension<unchannel_cuda_1>(UNCHANNEL_CUDA_1);
  if (!cuda) {
    const bool at_best = instance.subject().module().get_table(instance.subject().index(), UNCHANNEL_CUDA_1) != nullptr;
    std::string why;
    if (at_best && !cuda_driver(why)) throw CheckUntested(fmt::format("cuda/1 is offered where a CUDA device is, and {}.", why));
    throw CheckSkipped(fmt::format("the channel has no cuda/1{}.", at_best ? " under this configuration" : ""));
  }
  check<CheckFailed>(cuda->operations && cuda->prepare && cuda->release, "the table 'cuda/1' has empty entries.");
  return *cuda;
}

/// The operations that cuda/1 declares, all of which the channel must offer.
std::vector<Operation> declared_operations(const Instance& instance, const unchannel_cuda_1& cuda) {
  std::vector<Operation> operations;
  std::uint64_t left = cuda.operations(instance.raw());
  check<CheckFailed>(left != 0, "cuda/1 is offered, and operations() is 0.");
  for (const CudaOperation& item : kOperations) {
    if ((left & item.bit) == 0) continue;
    left &= ~item.bit;
    const char* extension = operation_extension(item.operation);
    check<CheckFailed>(!extension || instance.extension<void>(extension), "operations() claims {}, which the channel does not offer.",
                       extension ? extension : "");
    operations.push_back(item.operation);
  }
  check<CheckFailed>(left == 0, "operations() has unknown bits ({:#x}).", left);
  return operations;
}

const CudaDriver& driver_or_untested() {
  std::string why;
  const CudaDriver* driver = cuda_driver(why);
  if (!driver) throw CheckUntested(fmt::format("needs a CUDA device, and {}; the declarations are right.", why));
  return *driver;
}

/// The instance ready on the device, until the end of the scope.
class Prepared {
 public:
  Prepared(const Instance& instance, const unchannel_cuda_1& cuda) : instance_(instance), cuda_(cuda) {
    take_plugin_error();
    const std::int32_t status = cuda.prepare(instance.raw(), CudaDevice::kWhere.index);
    check<CheckFailed>(status == UNCHANNEL_OK, "prepare answers {} for device 0: {}", status_name(status), take_plugin_error());
  }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared() { cuda_.release(instance_.raw(), CudaDevice::kWhere.index); }

 private:
  const Instance& instance_;
  const unchannel_cuda_1& cuda_;
};

template <class Value>
double relative_distance(const Output& a, const Output& b, std::size_t row) {
  const auto width = static_cast<std::size_t>(a.row_bytes) / sizeof(Value);
  const auto* left = reinterpret_cast<const Value*>(a.bytes.data()) + row * width;
  const auto* right = reinterpret_cast<const Value*>(b.bytes.data()) + row * width;
  double distance = 0, size = 0;
  for (std::size_t j = 0; j < width; ++j) {
    const double there = static_cast<double>(right[j]);
    distance += (static_cast<double>(left[j]) - there) * (static_cast<double>(left[j]) - there);
    size += there * there;
  }
  return distance == 0 ? 0 : std::sqrt(distance / size);
}

/// The largest distance of a sample on the device from the one on the CPU; throws where it is beyond the tolerance.
double expect_parity(Operation operation, const CallResult& gpu, const CallResult& cpu) {
  const double limit = operation == Operation::simulate ? kSimulateTolerance : kTolerance;
  double largest = 0;
  check<CheckFailed>(gpu.sample_status == cpu.sample_status, "{}: sample_status differs.", operation_name(operation));
  for (std::size_t i = 0; i < cpu.outputs.size(); ++i) {
    const Output &there = gpu.outputs[i], &here = cpu.outputs[i];
    for (std::size_t row = 0; row < cpu.sample_status.size(); ++row) {
      const double distance = here.is_float               ? relative_distance<float>(there, here, row)
                              : here.name == "loglik"     ? relative_distance<double>(there, here, row)
                              : there.bytes == here.bytes ? 0.0
                                                          : HUGE_VAL;
      check<CheckFailed>(distance <= limit, "{}: {} of sample {} is {:.1e} (relative L2) from that on the CPU; {:.0e} is allowed.",
                         operation_name(operation), here.name, row, distance, limit);
      largest = std::max(largest, distance);
    }
  }
  return largest;
}

}  // namespace

void check_cpu_gpu_parity(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const unchannel_cuda_1& cuda = cuda_table(*instance);
  const auto operations = declared_operations(*instance, cuda);
  detail["operations"] = operations.size();
  const CudaDevice device(driver_or_untested());
  const Prepared prepared(*instance, cuda);
  const Batch batch = make_batch(*instance, sample_count(instance->layout(), 37));  // more than one group of samples, and no whole number
  for (const Operation operation : operations) {
    CudaCall there(device, CudaCall::Gate::none);
    const CallResult gpu = call_ok(*instance, operation, batch, {.cuda = &there});
    detail["largest_relative_distance"][operation_name(operation)] = expect_parity(operation, gpu, call_ok(*instance, operation, batch));
  }
}

void check_stream_order(const CheckRequest& request, nlohmann::json& detail) {
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
  const Batch batch = make_batch(*instance, 5);  // the instance must still be usable on the CPU
  call_ok(*instance, Operation::simulate, batch);
  const CudaDevice device(driver_or_untested());
  const Prepared prepared(*instance, cuda);
  for (const Operation operation : declared_operations(*instance, cuda)) {
    CudaCall free(device, CudaCall::Gate::none), gated(device, CudaCall::Gate::closed);
    const CallResult before = call_ok(*instance, operation, batch, {.cuda = &free});  // also loads what loads late
    const CallResult behind = call_ok(*instance, operation, batch, {.cuda = &gated});
    check<CheckFailed>(!gated.waited(), "{} returns only when the work before it on the stream is done: it synchronises.",
                       operation_name(operation));
    check<CheckFailed>(device.is_current(), "{} leaves another device current.", operation_name(operation));
    const std::string changed = difference(operation, before, behind);
    check<CheckFailed>(changed.empty(), "work that is not enqueued behind what the stream holds: {}.", changed);
  }
  detail["operations"] = declared_operations(*instance, cuda).size();
}

}  // namespace unchannel::conformance
