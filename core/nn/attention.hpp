#pragma once

#include <ATen/core/Tensor.h>

// Shape legend: B batch · S places · N heads · D planes of a head
namespace unchannel {

/// softmax(q kᵀ / √D) v for queries, keys and values qkv_BS3ND [B, S, 3, N, D] → [B, S, N, D], with a gradient. On a processor with oneDNN
/// and for up to kLargestAttention places its products are oneDNN's, and all S² weights are held for the backward pass; elsewhere it is the
/// tensor library's scaled_dot_product_attention. Scores and softmax are float32; in bfloat16 the weights are rounded once.
constexpr std::int64_t kLargestAttention = 512;
at::Tensor attend(const at::Tensor& qkv_BS3ND);

}  // namespace unchannel
