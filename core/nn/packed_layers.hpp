#pragma once

#include <torch/nn.h>

// Shape legend: B batch · I, O inputs and outputs · P planes · H, W height and width · L length
namespace unchannel {

/// Weight and bias as the processor's kernels read them: in the precision of the products and in blocks. They are made again when the
/// parameters have changed, so that a transport, which calls the network many times with the same weights, makes them once.
struct PackedParameters {
  at::Tensor weight, bias;

  /// Whether they still are those of the parameters, in this precision.
  bool are_those_of(const at::Tensor& source_weight, const at::Tensor& source_bias, at::ScalarType type) const;
  void remember(const at::Tensor& source_weight, const at::Tensor& source_bias);

 private:
  const void* source_ = nullptr;
  std::int64_t weight_version_ = 0, bias_version_ = 0;
};

/// A linear layer with oneDNN's products, which computes with packed parameters while no gradient is asked for: the same sums in another order.
struct PackedLinearImpl : torch::nn::LinearImpl {
  using LinearImpl::LinearImpl;
  at::Tensor forward(const at::Tensor& x_BI);

 private:
  PackedParameters packed_;
};
TORCH_MODULE(PackedLinear);

/// The same for images [B, P, H, W] in channels-last memory.
struct PackedConvolutionImpl : torch::nn::Conv2dImpl {
  using Conv2dImpl::Conv2dImpl;
  at::Tensor forward(const at::Tensor& h_BPHW);

 private:
  PackedParameters packed_;
};
TORCH_MODULE(PackedConvolution);

/// The same along lines [B, P, 1, L]: images of height 1, which have faster kernels than lines. Its weight [O, P, kernel] is that of a Conv1d.
struct PackedLineConvolutionImpl : torch::nn::Conv1dImpl {
  using Conv1dImpl::Conv1dImpl;
  at::Tensor forward(const at::Tensor& h_BP1L);

 private:
  PackedParameters packed_;
};
TORCH_MODULE(PackedLineConvolution);

}  // namespace unchannel
