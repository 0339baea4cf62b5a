#include "moments.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace unchannel {

Moments weighted_moments(const at::Tensor& y_ND, const at::Tensor& weight_N) {
  const at::Tensor share_N = (weight_N / weight_N.sum()).to(at::kDouble);
  const std::int64_t dimension = y_ND.size(1);
  Moments moments{at::zeros({dimension}, at::kDouble), at::zeros({dimension, dimension}, at::kDouble)};
  constexpr std::int64_t kBlock = 256;  // keeps the float64 copies small beside the rows themselves
  for (std::int64_t begin = 0; begin < y_ND.size(0); begin += kBlock) {
    const at::Tensor block = y_ND.slice(0, begin, std::min(begin + kBlock, y_ND.size(0))).to(at::kDouble);
    moments.mean_D += share_N.slice(0, begin, begin + block.size(0)).matmul(block);
  }
  for (std::int64_t begin = 0; begin < y_ND.size(0); begin += kBlock) {
    const at::Tensor centred = y_ND.slice(0, begin, std::min(begin + kBlock, y_ND.size(0))).to(at::kDouble) - moments.mean_D;
    const at::Tensor scaled = centred * share_N.slice(0, begin, begin + centred.size(0)).sqrt().unsqueeze(1);
    moments.covariance_DD += scaled.t().matmul(scaled);
  }
  return moments;
}

Spectrum leading_eigenvectors(const at::Tensor& covariance_DD, std::int64_t rank) {
  auto [values_D, vectors_DD] = at::linalg_eigh(covariance_DD);
  const std::int64_t dimension = covariance_DD.size(0);
  return {values_D.slice(0, dimension - rank).flip({0}), vectors_DD.slice(1, dimension - rank).flip({1})};
}

at::Tensor smooth_along_diagonals(const at::Tensor& covariance_DD, double width) {
  if (width <= 0.0) return covariance_DD;
  const std::int64_t dimension = covariance_DD.size(0);
  const auto radius = static_cast<std::int64_t>(std::ceil(4.0 * width));
  std::vector<double> kernel(static_cast<std::size_t>(2 * radius + 1));
  double sum = 0.0;
  for (std::int64_t j = -radius; j <= radius; ++j) {
    const double value = std::exp(-0.5 * static_cast<double>(j * j) / (width * width));
    kernel[static_cast<std::size_t>(j + radius)] = value;
    sum += value;
  }
  for (double& value : kernel) value /= sum;
  const at::Tensor source = covariance_DD.contiguous();
  at::Tensor result = at::empty_like(source);
  const double* in = source.data_ptr<double>();
  double* out = result.data_ptr<double>();
  std::vector<double> diagonal;
  for (std::int64_t offset = 0; offset < dimension; ++offset) {
    const std::int64_t length = dimension - offset;
    diagonal.resize(static_cast<std::size_t>(length + 2 * radius));
    for (std::int64_t i = 0; i < length + 2 * radius; ++i) {
      const std::int64_t row = std::clamp<std::int64_t>(i - radius, 0, length - 1);
      diagonal[static_cast<std::size_t>(i)] = in[row * dimension + row + offset];
    }
    for (std::int64_t i = 0; i < length; ++i) {
      double value = 0.0;
      for (std::size_t j = 0; j < kernel.size(); ++j) value += kernel[j] * diagonal[static_cast<std::size_t>(i) + j];
      out[i * dimension + i + offset] = value;
      out[(i + offset) * dimension + i] = value;
    }
  }
  return result;
}

}  // namespace unchannel
