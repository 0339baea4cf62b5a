#include "gradient_sum.hpp"

#include <ATen/ATen.h>

namespace unchannel {

GradientSum::GradientSum(const Network& network) {
  std::int64_t count = 1;
  for (const auto& [name, tensor] : network.parameters()) {
    parameters_.push_back(tensor);
    count += tensor.numel();
  }
  flat_ = at::zeros({count}, at::kFloat);
}

double GradientSum::over(Ranks& ranks, double loss_part) {
  const at::NoGradGuard no_grad;
  const auto each = [&](auto&& use) {
    std::int64_t begin = 0;
    for (at::Tensor& parameter : parameters_) {
      use(parameter, flat_.slice(0, begin, begin + parameter.numel()).view(parameter.sizes()));
      begin += parameter.numel();
    }
  };
  each([](at::Tensor& parameter, const at::Tensor& slot) { parameter.grad().defined() ? slot.copy_(parameter.grad()) : slot.zero_(); });
  float* values = flat_.mutable_data_ptr<float>();
  const auto count = static_cast<std::size_t>(flat_.numel());
  values[count - 1] = static_cast<float>(loss_part);
  ranks.sum(std::span(values, count));
  each([](at::Tensor& parameter, const at::Tensor& slot) {
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::empty_like(parameter);
    parameter.mutable_grad().copy_(slot);
  });
  return values[count - 1];
}

}  // namespace unchannel
