#include "packed_layers.hpp"

#include <ATen/autocast_mode.h>

#include "autocast.hpp"

namespace unchannel {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using PackLinear = at::Tensor(const at::Tensor&, std::optional<std::int64_t>);
using RunLinear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view, Scalars,
                             std::optional<std::string_view>);
using PackConvolution = at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, std::int64_t, at::OptionalIntArrayRef);
using RunConvolution = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, at::IntArrayRef, at::IntArrayRef,
                                  at::IntArrayRef, std::int64_t, std::string_view, Scalars, std::optional<std::string_view>);

/// oneDNN's operators on packed weights. They belong to the tensor library's compiler and may be absent from another version of it.
struct Kernels {
  c10::TypedOperatorHandle<PackLinear> pack_linear;
  c10::TypedOperatorHandle<RunLinear> linear;
  c10::TypedOperatorHandle<PackConvolution> pack_convolution;
  c10::TypedOperatorHandle<RunConvolution> convolution;
};

std::optional<Kernels> find_kernels() {
  try {
    auto& dispatcher = c10::Dispatcher::singleton();
    return Kernels{dispatcher.findSchemaOrThrow("mkldnn::_reorder_linear_weight", "").typed<PackLinear>(),
                   dispatcher.findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<RunLinear>(),
                   dispatcher.findSchemaOrThrow("mkldnn::_reorder_convolution_weight", "").typed<PackConvolution>(),
                   dispatcher.findSchemaOrThrow("mkldnn::_convolution_pointwise", "").typed<RunConvolution>()};
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

const std::optional<Kernels>& kernels() {
  static const std::optional<Kernels> found = find_kernels();
  return found;
}

/// Precision of the products, or nothing where the plain layer has to do: for gradients, on other devices, in emulated bfloat16.
std::optional<at::ScalarType> packed_type(const at::Tensor& x) {
  if (at::GradMode::is_enabled() || !x.is_cpu() || !kernels()) return std::nullopt;
  if (!at::autocast::is_autocast_enabled(at::kCPU)) return x.scalar_type() == at::kFloat ? std::optional(at::kFloat) : std::nullopt;
  static const bool native = native_precision() == "bfloat16";
  return native ? std::optional(at::kBFloat16) : std::nullopt;
}

bool trains_in_float32(const at::Tensor& x) {
  return at::GradMode::is_enabled() && x.is_cpu() && x.scalar_type() == at::kFloat && kernels() && !at::autocast::is_autocast_enabled(at::kCPU);
}

struct Window {
  std::vector<std::int64_t> padding, stride;
};

/// x wᵀ + b. bias_O may be undefined.
at::Tensor multiply(const at::Tensor& x_BI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  const std::optional<at::Tensor> bias = bias_O.defined() ? std::optional(bias_O) : std::nullopt;
  return kernels()->linear.call(x_BI, weight_OI, bias, "none", Scalars(), std::nullopt);
}

/// A linear layer in float32 with all three products by oneDNN: on AMD processors they take half the time of MKL's, which the tensor library
/// uses otherwise.
struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x_BI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
    context->save_for_backward({x_BI, weight_OI});
    context->saved_data["x"] = x_BI.requires_grad();
    return multiply(x_BI, weight_OI, bias_O);
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context, torch::autograd::tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor dy_BO = gradients[0].contiguous();
    at::Tensor dx_BI;
    if (context->saved_data["x"].toBool()) dx_BI = multiply(dy_BO, saved[1].t(), {});
    return {dx_BI, multiply(dy_BO.t(), saved[0].t(), {}), dy_BO.sum(0)};
  }
};

at::Tensor convolve(const at::Tensor& x, at::ScalarType type, const at::Tensor& weight, const at::Tensor& bias, const Window& window,
                    PackedParameters& packed) {
  constexpr std::int64_t kDilation[] = {1, 1};
  const at::Tensor input = x.to(type).contiguous(at::MemoryFormat::ChannelsLast);
  if (!packed.are_those_of(weight, bias, type)) {
    packed.weight = kernels()->pack_convolution.call(weight.to(type), window.padding, window.stride, kDilation, 1, input.sizes());
    packed.bias = bias.to(type);
    packed.remember(weight, bias);
  }
  return kernels()->convolution.call(input, packed.weight, packed.bias, window.padding, window.stride, kDilation, 1, "none", Scalars(), std::nullopt);
}

}  // namespace

bool PackedParameters::are_those_of(const at::Tensor& source_weight, const at::Tensor& source_bias, at::ScalarType type) const {
  return weight.defined() && weight.scalar_type() == type && source_ == source_weight.const_data_ptr() &&
         weight_version_ == source_weight._version() && bias_version_ == source_bias._version();
}

void PackedParameters::remember(const at::Tensor& source_weight, const at::Tensor& source_bias) {
  source_ = source_weight.const_data_ptr();
  weight_version_ = source_weight._version();
  bias_version_ = source_bias._version();
}

at::Tensor PackedLinearImpl::forward(const at::Tensor& x_BI) {
  const std::optional<at::ScalarType> type = packed_type(x_BI);
  if (!type && trains_in_float32(x_BI)) return LinearFunction::apply(x_BI, weight, bias);
  if (!type) return LinearImpl::forward(x_BI);
  if (!packed_.are_those_of(weight, bias, *type)) {
    packed_.weight = kernels()->pack_linear.call(weight.to(*type), x_BI.size(0));
    packed_.bias = bias.to(*type);
    packed_.remember(weight, bias);
  }
  return multiply(x_BI.to(*type), packed_.weight, packed_.bias);
}

at::Tensor PackedConvolutionImpl::forward(const at::Tensor& h_BPHW) {
  const std::optional<at::ScalarType> type = packed_type(h_BPHW);
  if (!type) return Conv2dImpl::forward(h_BPHW);
  const std::int64_t padding = weight.size(3) / 2;
  return convolve(h_BPHW, *type, weight, bias, {{padding, padding}, {1, 1}}, packed_);
}

at::Tensor PackedLineConvolutionImpl::forward(const at::Tensor& h_BP1L) {
  const at::Tensor image_weight = weight.unsqueeze(2);
  const Window window = {{0, weight.size(2) / 2}, {1, options.stride()->front()}};
  const std::optional<at::ScalarType> type = packed_type(h_BP1L);
  if (!type) return at::conv2d(h_BP1L, image_weight, bias, window.stride, window.padding);
  return convolve(h_BP1L, *type, image_weight, bias, window, packed_);
}

}  // namespace unchannel
