#include "cosine_basis.hpp"

#include <cmath>
#include <numbers>

#include <unchannel/base/error.hpp>

#include "tensor_ops.hpp"

namespace unchannel::baselines {
namespace {

at::Tensor basis_of(std::int64_t size) {
  const at::Tensor k = at::arange(size, at::kDouble).unsqueeze(1), d = at::arange(size, at::kDouble).unsqueeze(0) + 0.5;
  at::Tensor basis = (k * d * (std::numbers::pi / static_cast<double>(size))).cos() * std::sqrt(2.0 / static_cast<double>(size));
  basis.select(0, 0) *= std::sqrt(0.5);
  return basis.to(at::kFloat);
}

/// Minus the second difference of mode k is 2 − 2 cos(πk/size) times the mode.
at::Tensor curvature_of_modes(std::int64_t size) {
  return 2.0 - 2.0 * (at::arange(size, at::kFloat) * (std::numbers::pi / static_cast<double>(size))).cos();
}

/// Second difference along `axis` with reflecting ends (x₋₁ = x₀).
void add_second_difference(const at::Tensor& x, std::int64_t axis, at::Tensor& sum) {
  const std::int64_t size = x.size(axis);
  const at::Tensor step = x.slice(axis, 1, size) - x.slice(axis, 0, size - 1);
  sum.slice(axis, 0, size - 1) += step;
  sum.slice(axis, 1, size) -= step;
}

}  // namespace

CosineBasis::CosineBasis(const std::vector<std::int64_t>& signal_shape) {
  check<ConfigError>(signal_shape.size() == 1 || signal_shape.size() == 3,
                     "baselines: the smoothness is defined along one axis or for images [planes, height, width]; this signal has {} axes.",
                     signal_shape.size());
  columns_WW_ = basis_of(signal_shape.back());
  const at::Tensor along_W = curvature_of_modes(signal_shape.back());
  if (signal_shape.size() == 1) {
    squared_D_ = along_W.square();
    return;
  }
  planes_ = signal_shape[0];
  rows_HH_ = basis_of(signal_shape[1]);
  squared_D_ = (curvature_of_modes(signal_shape[1]).unsqueeze(1) + along_W).square().flatten().repeat({planes_});
}

at::Tensor CosineBasis::coefficients(const at::Tensor& x_BD) const {
  if (!rows_HH_.defined()) return x_BD.matmul(columns_WW_.t());
  const at::Tensor image = x_BD.view({x_BD.size(0), planes_, rows_HH_.size(0), columns_WW_.size(0)});
  return rows_HH_.matmul(image).matmul(columns_WW_.t()).reshape(x_BD.sizes());
}

at::Tensor CosineBasis::signals(const at::Tensor& coefficients_BD) const {
  if (!rows_HH_.defined()) return coefficients_BD.matmul(columns_WW_);
  const at::Tensor image = coefficients_BD.view({coefficients_BD.size(0), planes_, rows_HH_.size(0), columns_WW_.size(0)});
  return rows_HH_.t().matmul(image).matmul(columns_WW_).reshape(coefficients_BD.sizes());
}

at::Tensor CosineBasis::curvature(const at::Tensor& x_BD) const {
  const at::Tensor x = rows_HH_.defined() ? x_BD.view({x_BD.size(0), planes_, rows_HH_.size(0), columns_WW_.size(0)}) : x_BD;
  at::Tensor sum = at::zeros_like(x);
  add_second_difference(x, x.dim() - 1, sum);
  if (rows_HH_.defined()) add_second_difference(x, 2, sum);
  return sum.view(x_BD.sizes());
}

}  // namespace unchannel::baselines
