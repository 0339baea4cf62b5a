#include "packed_layers.hpp"

#include <ATen/autocast_mode.h>

#include "autocast.hpp"
#include "onednn.hpp"

namespace unchannel {
namespace {

/// Precision of the products, or nothing where the plain layer has to do: for gradients, on other devices, in emulated bfloat16.
std::optional<at::ScalarType> packed_type(const at::Tensor& x) {
  if (at::GradMode::is_enabled() || !x.is_cpu() || !onednn()) return std::nullopt;
  if (!at::autocast::is_autocast_enabled(at::kCPU)) return x.scalar_type() == at::kFloat ? std::optional(at::kFloat) : std::nullopt;
  static const bool native = native_precision() == "bfloat16";
  return native ? std::optional(at::kBFloat16) : std::nullopt;
}

bool trains_in_float32(const at::Tensor& x) {
  return at::GradMode::is_enabled() && x.is_cpu() && x.scalar_type() == at::kFloat && onednn() && !at::autocast::is_autocast_enabled(at::kCPU);
}

struct Window {
  std::vector<std::int64_t> padding, stride;
};

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

/// A convolution of kernel 1 as one linear layer over all places. In float32 the tensor library's own choice takes twice as long for 128 planes
/// and more.
at::Tensor multiply_places(const at::Tensor& h_BPHW, const at::Tensor& weight_OP11, const at::Tensor& bias_O) {
  const std::int64_t batch = h_BPHW.size(0), planes = h_BPHW.size(1), height = h_BPHW.size(2), width = h_BPHW.size(3);
  const at::Tensor places = h_BPHW.permute({0, 2, 3, 1}).reshape({batch * height * width, planes});
  const at::Tensor out = LinearFunction::apply(places, weight_OP11.flatten(1), bias_O);
  return out.view({batch, height, width, weight_OP11.size(0)}).permute({0, 3, 1, 2});
}

at::Tensor convolve(const at::Tensor& x, at::ScalarType type, const at::Tensor& weight, const at::Tensor& bias, const Window& window,
                    PackedParameters& packed) {
  constexpr std::int64_t kDilation[] = {1, 1};
  const at::Tensor input = x.to(type).contiguous(at::MemoryFormat::ChannelsLast);
  if (!packed.are_those_of(weight, bias, type)) {
    packed.weight = onednn()->pack_convolution.call(weight.to(type), window.padding, window.stride, kDilation, 1, input.sizes());
    packed.bias = bias.to(type);
    packed.remember(weight, bias);
  }
  return onednn()->convolution.call(input, packed.weight, packed.bias, window.padding, window.stride, kDilation, 1, "none", OneDnn::Scalars(),
                                    std::nullopt);
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
    packed_.weight = onednn()->pack_linear.call(weight.to(*type), x_BI.size(0));
    packed_.bias = bias.to(*type);
    packed_.remember(weight, bias);
  }
  return multiply(x_BI.to(*type), packed_.weight, packed_.bias);
}

at::Tensor PackedConvolutionImpl::forward(const at::Tensor& h_BPHW) {
  const std::optional<at::ScalarType> type = packed_type(h_BPHW);
  if (!type && weight.size(3) == 1 && trains_in_float32(h_BPHW)) return multiply_places(h_BPHW, weight, bias);
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
