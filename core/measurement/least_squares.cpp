#include "least_squares.hpp"

#include <ATen/ATen.h>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

at::Tensor row_norm2(const at::Tensor& rows_BD) { return rows_BD.to(at::kDouble).square().sum(1, /*keepdim=*/true); }

/// a / b by rows, 0 where b is 0: that row has arrived.
at::Tensor row_ratio(const at::Tensor& a_B1, const at::Tensor& b_B1) {
  return (a_B1 / b_B1.clamp_min(1e-300)).masked_fill(b_B1.le(0.0), 0.0).to(at::kFloat);
}

}  // namespace

at::Tensor least_squares(const Channel& channel, const Latents& latents, const at::Tensor& y_BM, std::int64_t iterations) {
  check<ConfigError>(channel.has_mean() && channel.has_vjp(),
                     "least squares need the channel's mean and vjp, which channel {} does not have. Choose another start, e.g. "
                     "\"observation\".",
                     channel.id());
  std::int64_t dimension = 1;
  for (const std::int64_t extent : channel.signal_shape()) dimension *= extent;
  const at::Tensor zero_BD = at::zeros({y_BM.size(0), dimension});
  const at::Tensor offset_BM = channel.mean(zero_BD, latents);
  const auto transposed = [&](const at::Tensor& v_BM) { return channel.vjp(zero_BD, latents, v_BM); };
  at::Tensor x_BD = zero_BD.clone(), residual_BM = y_BM - offset_BM;
  at::Tensor slope_BD = transposed(residual_BM), direction_BD = slope_BD.clone(), size_B1 = row_norm2(slope_BD);
  for (std::int64_t i = 0; i < iterations; ++i) {
    const at::Tensor image_BM = channel.mean(direction_BD, latents) - offset_BM;
    const at::Tensor step_B1 = row_ratio(size_B1, row_norm2(image_BM));
    x_BD.add_(step_B1 * direction_BD);
    residual_BM = residual_BM - step_B1 * image_BM;
    slope_BD = transposed(residual_BM);
    const at::Tensor next_B1 = row_norm2(slope_BD);
    direction_BD = slope_BD + row_ratio(next_B1, size_B1) * direction_BD;
    size_B1 = next_B1;
  }
  return x_BD;
}

}  // namespace unchannel
