#pragma once

#include <torch/nn.h>

// Shape legend: B batch · P planes · H, W height and width
namespace unchannel {

/// silu of a group normalisation, h_BPHW [B, P, H, W] float32 or bfloat16 → the same, in channels-last memory: one fused operation with a
/// gradient, where the tensor library takes two to four passes and slow ones for groups of few planes. With scale_shift_BP [B, 2P] (scales,
/// then shifts; may be undefined) it is silu((1 + scale) norm(h) + shift) [Dhariwal and Nichol]. Sums in float32 and in an order that does
/// not depend on the number of threads.
at::Tensor norm_silu(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm, const at::Tensor& scale_shift_BP = {});

/// A normalised tensor beside its own input, for residual blocks: users of `input` and `again` send their gradients into the backward pass of
/// the normalisation, which adds them before it rounds, instead of through additions of their own.
struct SharedNorm {
  at::Tensor out_BPHW, input_BPHW, again_BPHW;
};

SharedNorm norm_silu_shared(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm);
/// Without silu.
SharedNorm norm_shared(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm);
/// Of first and second joined along P, which are `input`; the gradients of both parts come out apart. `again` is undefined.
SharedNorm norm_silu_joined(const at::Tensor& first_BPHW, const at::Tensor& second_BPHW, torch::nn::GroupNorm& norm);

}  // namespace unchannel
