#include "ssim.hpp"

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>

#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

constexpr std::int64_t kWindow = kSmallestSsimImage;
constexpr double kSigma = 1.5, kLuminance = 0.01, kContrast = 0.03;
constexpr std::int64_t kBlock = 256;  // images at once

/// [1, 1, 1, 11] weights that sum to one.
at::Tensor window() {
  const at::Tensor offset = at::arange(kWindow, at::kDouble) - static_cast<double>(kWindow / 2);
  const at::Tensor weight = (offset * offset * (-0.5 / (kSigma * kSigma))).exp();
  return (weight / weight.sum()).view({1, 1, 1, kWindow});
}

/// Windowed means [B, 1, H−10, W−10] of planes [B, 1, H, W].
at::Tensor windowed(const at::Tensor& x, const at::Tensor& weight) {
  return at::conv2d(at::conv2d(x, weight), weight.transpose(2, 3));
}

}  // namespace

at::Tensor structural_similarity(const at::Tensor& restored_NPHW, const at::Tensor& truth_NPHW, double data_range) {
  check<ShapeError>(restored_NPHW.dim() == 4 && restored_NPHW.sizes() == truth_NPHW.sizes(),
                    "metrics: structural similarity compares images [N, planes, height, width] of one shape.");
  check<ShapeError>(truth_NPHW.size(2) >= kWindow && truth_NPHW.size(3) >= kWindow,
                    "metrics: structural similarity needs images of {0} x {0} pixels or more; these are {1} x {2}.", kWindow, truth_NPHW.size(2),
                    truth_NPHW.size(3));
  check<ConfigError>(std::isfinite(data_range) && data_range > 0, "metrics: the data range must be positive; it is {}.", data_range);
  const double c1 = std::pow(kLuminance * data_range, 2), c2 = std::pow(kContrast * data_range, 2);
  const at::Tensor weight = window();
  const std::int64_t images = truth_NPHW.size(0), planes = truth_NPHW.size(1);
  at::Tensor result_N = at::empty({images}, at::kDouble);
  for (std::int64_t begin = 0; begin < images; begin += kBlock) {
    const std::int64_t end = std::min(images, begin + kBlock);
    const auto block = [&](const at::Tensor& x) { return x.slice(0, begin, end).to(at::kDouble).flatten(0, 1).unsqueeze(1); };
    const at::Tensor a = block(restored_NPHW), b = block(truth_NPHW);
    const at::Tensor mean_a = windowed(a, weight), mean_b = windowed(b, weight);
    const at::Tensor var_a = windowed(a * a, weight) - mean_a * mean_a, var_b = windowed(b * b, weight) - mean_b * mean_b;
    const at::Tensor cov = windowed(a * b, weight) - mean_a * mean_b;
    const at::Tensor ssim = (mean_a * mean_b * 2 + c1) * (cov * 2 + c2) / ((mean_a * mean_a + mean_b * mean_b + c1) * (var_a + var_b + c2));
    result_N.slice(0, begin, end) = ssim.flatten(1).mean(1).view({end - begin, planes}).mean(1);
  }
  return result_N;
}

}  // namespace unchannel::metrics
