#include "gaussian_noise.hpp"

#include <cmath>
#include <numbers>

#include "philox_tensors.hpp"

namespace unchannel {

at::Tensor with_gaussian_noise(const at::Tensor& y_BM, double sigma, RandomKey key, const at::Tensor& ids_B) {
  if (sigma == 0) return y_BM;
  // Not y.add(n, sigma), which may or may not fuse product and sum depending on where in the batch an element lies.
  return normals(noise_key(key), ids_B, y_BM.size(1), y_BM.device()).mul_(sigma).add_(y_BM);
}

at::Tensor gaussian_loglik(const at::Tensor& residual_BM, const at::Tensor& s_BM, at::Tensor* score_BM) {
  const at::Tensor r = residual_BM.to(at::kDouble), s = s_BM.to(at::kDouble);
  const at::Tensor scaled = r.div(s);
  if (score_BM) *score_BM = scaled.div(s).to(residual_BM.scalar_type());
  const double constant = -0.5 * std::log(2 * std::numbers::pi);
  return scaled.square().mul_(-0.5).sub_(s.log()).add_(constant).sum(1);
}

}  // namespace unchannel
