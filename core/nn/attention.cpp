#include "attention.hpp"

#include <torch/nn.h>

#include <cmath>

#include "onednn.hpp"

// Shape legend: B batch · S places · N heads · D planes of a head · M = B·N
namespace unchannel {
namespace {

/// a bᵀ for each of M pairs: [M, S, K] and [M, T, K] → [M, S, T]. In float32 the tensor library would take MKL, which is slow on AMD processors.
at::Tensor products(const at::Tensor& a_MSK, const at::Tensor& b_MTK) {
  if (a_MSK.scalar_type() != at::kFloat) return at::bmm(a_MSK, b_MTK.transpose(1, 2));
  at::Tensor out_MST = at::empty({a_MSK.size(0), a_MSK.size(1), b_MTK.size(1)}, a_MSK.options());
  for (std::int64_t m = 0; m < a_MSK.size(0); ++m) out_MST[m].copy_(multiply(a_MSK[m], b_MTK[m], {}));
  return out_MST;
}

struct Heads {
  at::Tensor q_MSD, k_MSD, v_MSD;
};

Heads heads_of(const at::Tensor& qkv_BS3ND) {
  const at::Tensor all = qkv_BS3ND.permute({2, 0, 3, 1, 4}).contiguous().flatten(1, 2);
  return {all[0], all[1], all[2]};
}

double scale_of(const at::Tensor& q_MSD) { return 1.0 / std::sqrt(static_cast<double>(q_MSD.size(2))); }

/// Weights [M, S, S] of the values, in their type.
at::Tensor weights_of(const Heads& heads) {
  const at::Tensor scores = products(heads.q_MSD.to(at::kFloat) * scale_of(heads.q_MSD), heads.k_MSD.to(at::kFloat));
  return scores.softmax(-1).to(heads.v_MSD.scalar_type());
}

/// [M, S, D] → [B, S, N, D]
at::Tensor mixed(const at::Tensor& weights_MSS, const at::Tensor& v_MSD, std::int64_t batch) {
  return products(weights_MSS, v_MSD.transpose(1, 2)).unflatten(0, {batch, -1}).transpose(1, 2).contiguous();
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& qkv_BS3ND) {
    const Heads heads = heads_of(qkv_BS3ND);
    const at::Tensor weights_MSS = weights_of(heads);
    context->save_for_backward({heads.q_MSD, heads.k_MSD, heads.v_MSD, weights_MSS});
    return mixed(weights_MSS, heads.v_MSD, qkv_BS3ND.size(0));
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context, torch::autograd::tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &q_MSD = saved[0], &k_MSD = saved[1], &v_MSD = saved[2], &weights_MSS = saved[3];
    const std::int64_t batch = gradients[0].size(0);
    const at::Tensor dout_MSD = gradients[0].transpose(1, 2).to(q_MSD.scalar_type()).contiguous().flatten(0, 1);
    const at::Tensor dv_MSD = products(weights_MSS.transpose(1, 2), dout_MSD.transpose(1, 2));
    const at::Tensor dweights_MSS = products(dout_MSD, v_MSD);
    const at::Tensor dscores_MSS = at::_softmax_backward_data(dweights_MSS, weights_MSS, -1, q_MSD.scalar_type()).mul_(scale_of(q_MSD));
    const at::Tensor dq_MSD = products(dscores_MSS, k_MSD.transpose(1, 2));
    const at::Tensor dk_MSD = products(dscores_MSS.transpose(1, 2), q_MSD.transpose(1, 2));
    return {at::stack({dq_MSD, dk_MSD, dv_MSD}).unflatten(1, {batch, -1}).permute({1, 3, 0, 2, 4}).contiguous()};
  }
};

}  // namespace

at::Tensor attend(const at::Tensor& qkv_BS3ND) {
  const bool known_type = qkv_BS3ND.scalar_type() == at::kFloat || qkv_BS3ND.scalar_type() == at::kBFloat16;
  if (!qkv_BS3ND.is_cpu() || !known_type || qkv_BS3ND.size(1) > kLargestAttention || !onednn()) {
    const auto part = [&](std::int64_t i) { return qkv_BS3ND.select(2, i).transpose(1, 2); };
    return at::scaled_dot_product_attention(part(0), part(1), part(2)).transpose(1, 2);
  }
  // The types below are chosen by hand.
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  if (at::GradMode::is_enabled()) return AttentionFunction::apply(qkv_BS3ND);
  const Heads heads = heads_of(qkv_BS3ND);
  return mixed(weights_of(heads), heads.v_MSD, qkv_BS3ND.size(0));
}

}  // namespace unchannel
