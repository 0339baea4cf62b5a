#include "failure_watch.hpp"

#include <ATen/Functions.h>

namespace unchannel {

at::Tensor FailureWatch::weight_B(std::int64_t rows) const {
  at::Tensor weight;
  for (const FailedSample& failed : channel_.take_failed_samples()) {
    if (failed.row < 0 || failed.row >= rows) continue;
    if (!weight.defined()) weight = at::ones({rows});
    weight.mutable_data_ptr<float>()[failed.row] = 0.0F;
  }
  return weight;
}

at::Tensor both_weights(const at::Tensor& a_B, const at::Tensor& b_B) {
  if (!a_B.defined()) return b_B;
  return b_B.defined() ? a_B.mul(b_B) : a_B;
}

at::Tensor valid_rows(const at::Tensor& values, const at::Tensor& weight_B) {
  return weight_B.defined() ? values.index_select(0, weight_B.nonzero().squeeze(1)) : values;
}

}  // namespace unchannel
