#include "onednn.hpp"

namespace unchannel {
namespace {

std::optional<OneDnn> find_operators() {
  try {
    auto& dispatcher = c10::Dispatcher::singleton();
    return OneDnn{dispatcher.findSchemaOrThrow("mkldnn::_reorder_linear_weight", "").typed<OneDnn::PackLinear>(),
                  dispatcher.findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<OneDnn::RunLinear>(),
                  dispatcher.findSchemaOrThrow("mkldnn::_reorder_convolution_weight", "").typed<OneDnn::PackConvolution>(),
                  dispatcher.findSchemaOrThrow("mkldnn::_convolution_pointwise", "").typed<OneDnn::RunConvolution>()};
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

}  // namespace

const std::optional<OneDnn>& onednn() {
  static const std::optional<OneDnn> found = find_operators();
  return found;
}

at::Tensor multiply(const at::Tensor& x_BI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  const std::optional<at::Tensor> bias = bias_O.defined() ? std::optional(bias_O) : std::nullopt;
  return onednn()->linear.call(x_BI, weight_OI, bias, "none", OneDnn::Scalars(), std::nullopt);
}

}  // namespace unchannel
