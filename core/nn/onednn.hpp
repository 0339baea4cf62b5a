#pragma once

#include <torch/nn.h>

#include <optional>
#include <string_view>

// Shape legend: B rows · I, O inputs and outputs
namespace unchannel {

/// oneDNN's operators as the tensor library names them. They belong to its compiler and may be absent from another version of it.
struct OneDnn {
  using Scalars = c10::List<std::optional<at::Scalar>>;
  using PackLinear = at::Tensor(const at::Tensor&, std::optional<std::int64_t>);
  using RunLinear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view, Scalars,
                               std::optional<std::string_view>);
  using PackConvolution = at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, std::int64_t, at::OptionalIntArrayRef);
  using RunConvolution = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, at::IntArrayRef, at::IntArrayRef,
                                    at::IntArrayRef, std::int64_t, std::string_view, Scalars, std::optional<std::string_view>);

  c10::TypedOperatorHandle<PackLinear> pack_linear;
  c10::TypedOperatorHandle<RunLinear> linear;
  c10::TypedOperatorHandle<PackConvolution> pack_convolution;
  c10::TypedOperatorHandle<RunConvolution> convolution;
};

/// Nothing where one of them is missing.
const std::optional<OneDnn>& onednn();

/// x wᵀ + b by oneDNN, which onednn() must have. bias_O may be undefined.
at::Tensor multiply(const at::Tensor& x_BI, const at::Tensor& weight_OI, const at::Tensor& bias_O);

}  // namespace unchannel
