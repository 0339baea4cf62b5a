#include "flops.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>

#include <string_view>

namespace unchannel {
namespace {

thread_local double counted = 0.0;

/// Multiply-adds for each element of an operation's result, or 0 for what is no product. Inputs are alive only when an operation starts,
/// results only when it ends. Composite operations (linear, matmul, conv2d) are left to those within them.
double multiply_adds_per_element(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  const auto size = [&](std::size_t input, std::int64_t axis) { return static_cast<double>(function.inputs()[input].toTensor().size(axis)); };
  if (name == "aten::addmm") return size(1, 1);
  if (name == "aten::mm" || name == "mkldnn::_linear_pointwise") return size(0, 1);
  if (name == "aten::bmm") return size(0, 2);
  if (name == "aten::convolution" || name == "mkldnn::_convolution_pointwise") {
    const at::Tensor& weight = function.inputs()[1].toTensor();
    return static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
  }
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu") return 2.0 * size(1, -2);
  return 0.0;
}

struct Operation final : at::ObserverContext {
  double multiply_adds_per_element = 0.0;
};

std::unique_ptr<at::ObserverContext> started(const at::RecordFunction& function) {
  auto operation = std::make_unique<Operation>();
  operation->multiply_adds_per_element = multiply_adds_per_element(function);
  return operation;
}

void ended(const at::RecordFunction& function, at::ObserverContext* context) {
  const double each = static_cast<Operation*>(context)->multiply_adds_per_element;
  if (each > 0.0) counted += 2.0 * each * static_cast<double>(function.outputs()[0].toTensor().numel());
}

class Observer {
 public:
  Observer()
      : handle_(at::addThreadLocalCallback(
            at::RecordFunctionCallback(started, ended).needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION}))) {}
  ~Observer() { at::removeCallback(handle_); }
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

 private:
  at::CallbackHandle handle_;
};

}  // namespace

double count_flops(const std::function<void()>& run) {
  counted = 0.0;
  const Observer observer;
  run();
  return counted;
}

}  // namespace unchannel
