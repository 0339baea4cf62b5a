#include "tikhonov.hpp"

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>
#include <utility>

#include <ATen/ops/one_hot.h>

#include "tensor_ops.hpp"

namespace unchannel::baselines {
namespace {

constexpr std::int64_t kProbedModes = 512;

at::Tensor dot(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum({1}, true, at::kDouble).to(at::kFloat); }

double rmse_of(const at::Tensor& a, const at::Tensor& b) { return std::sqrt((a.to(at::kDouble) - b.to(at::kDouble)).square().mean().item<double>()); }

}  // namespace

Tikhonov::Tikhonov(const Channel& channel, Latents latents, const at::Tensor& y_BM, const at::Tensor& ivar_BM, TikhonovOptions options)
    : channel_(channel), latents_(std::move(latents)), basis_(channel.signal_shape()), options_(options) {
  check<ConfigError>(channel.has_mean() && channel.has_vjp(), "baselines: channel {} needs the capabilities 'mean' and 'vjp' for the Tikhonov solver.", channel.id());
  check<ShapeError>(y_BM.dim() == 2 && y_BM.sizes() == ivar_BM.sizes(), "baselines: observations and inverse variances must have one shape [B, M].");
  check<DataError>(y_BM.isfinite().all().item<bool>() && ivar_BM.isfinite().all().item<bool>() && (ivar_BM >= 0).all().item<bool>(),
                   "baselines: observations must be finite and inverse variances finite and 0 or more.");
  const std::int64_t B = y_BM.size(0), D = basis_.size();
  for (const auto& [name, value] : latents_)
    check<ShapeError>(value.dim() >= 1 && value.size(0) == B, "baselines: latent '{}' must have {} rows, one for each observation.", name, B);
  weight_BM_ = ivar_BM.to(at::kFloat);
  offset_BM_ = channel.mean(at::zeros({B, D}, at::kFloat), latents_);
  data_BM_ = y_BM.to(at::kFloat) - offset_BM_;

  // |F̄ c_k|² with the first object's latents: the preconditioner need not be exact.
  std::vector<at::Tensor> response;
  for (std::int64_t begin = 0; begin < D; begin += kProbedModes) {
    const std::int64_t modes = std::min(kProbedModes, D - begin);
    Latents first;
    for (const auto& [name, value] : latents_) {
      std::vector<std::int64_t> shape = value.sizes().vec();
      shape[0] = modes;
      first.emplace(name, value.slice(0, 0, 1).expand(shape).contiguous());
    }
    const at::Tensor mode_KD = at::one_hot(at::arange(begin, begin + modes, at::kLong), D).to(at::kFloat);
    response.push_back((channel.mean(basis_.signals(mode_KD), first) - offset_BM_.slice(0, 0, 1)).square().sum(1));
  }
  response_squared_D_ = at::cat(response);
}

at::Tensor Tikhonov::forward(const at::Tensor& x_BD) const { return channel_.mean(x_BD.contiguous(), latents_) - offset_BM_; }
at::Tensor Tikhonov::adjoint(const at::Tensor& v_BM) const { return channel_.vjp(at::zeros({v_BM.size(0), basis_.size()}, at::kFloat), latents_, v_BM.contiguous()); }

at::Tensor Tikhonov::solve(double strength) const {
  check<ConfigError>(strength >= 0 && std::isfinite(strength), "baselines: the strength of the smoothness must be finite and 0 or more, not {}.", strength);
  const auto apply = [&](const at::Tensor& x) {
    return adjoint(weight_BM_ * forward(x)) + strength * basis_.curvature(basis_.curvature(x));
  };
  const at::Tensor scale_BD = weight_BM_.mean(1, true).clamp_min(1e-30) * response_squared_D_ + strength * basis_.squared_curvature_D();
  const at::Tensor inverse_BD = (scale_BD + 1e-7 * scale_BD.amax({1}, true)).reciprocal();
  const auto precondition = [&](const at::Tensor& r) { return basis_.signals(basis_.coefficients(r) * inverse_BD); };

  const at::Tensor right = adjoint(weight_BM_ * data_BM_);
  const at::Tensor right_norm = dot(right, right).sqrt().clamp_min(1e-30);
  at::Tensor x = precondition(right), r = right - apply(x), z = precondition(r), p = z.clone();
  at::Tensor rz = dot(r, z);
  residual_ = (dot(r, r).sqrt() / right_norm).max().item<double>();
  double earlier = residual_;  // ten steps ago
  for (iterations_ = 0; iterations_ < options_.max_iterations && residual_ > options_.tolerance;) {
    const at::Tensor Ap = apply(p);
    const at::Tensor curvature = dot(p, Ap);
    const at::Tensor length = at::where(curvature > 0, rz / curvature, at::zeros_like(rz));  // 0 for objects already solved exactly
    x += length * p;
    r -= length * Ap;
    z = precondition(r);
    const at::Tensor next = dot(r, z);
    p = z + at::where(rz > 0, next / rz, at::zeros_like(rz)) * p;
    rz = next;
    residual_ = (dot(r, r).sqrt() / right_norm).max().item<double>();
    check<NumericalError>(std::isfinite(residual_), "baselines: conjugate gradients diverged at strength {}; is vjp the transpose of mean in channel {}?", strength,
                          channel_.id());
    if (++iterations_ % 10 == 0) {
      if (residual_ > 0.5 * earlier) break;
      earlier = residual_;
    }
  }
  return x;
}

Tikhonov Tikhonov::head(std::int64_t rows) const {
  Tikhonov part(*this);
  for (auto& [name, value] : part.latents_) value = value.slice(0, 0, rows).contiguous();
  for (at::Tensor* x : {&part.offset_BM_, &part.weight_BM_, &part.data_BM_}) *x = x->slice(0, 0, rows).contiguous();
  return part;
}

TunedStrength tune_on_truth(const Tikhonov& solver, const at::Tensor& truth_BD, double smallest, double largest, std::int64_t points, std::int64_t max_objects) {
  check<ConfigError>(0 < smallest && smallest < largest && points >= 3, "baselines: the grid of strengths must rise from above 0 with at least 3 points.");
  check<ShapeError>(truth_BD.dim() == 2 && truth_BD.size(0) == solver.rows(), "baselines: {} observations need as many true signals.", solver.rows());
  const std::int64_t used = std::min(max_objects, solver.rows());
  const Tikhonov part = solver.head(used);
  const at::Tensor truth = truth_BD.slice(0, 0, used);
  TunedStrength result;
  const auto attempt = [&](double strength) {
    const double error = rmse_of(part.solve(strength), truth);
    result.tried_strength.push_back(strength);
    result.tried_rmse.push_back(error);
    if (result.tried_strength.size() == 1 || error < result.rmse) {
      result.strength = strength;
      result.rmse = error;
    }
  };
  const double ratio = std::pow(largest / smallest, 1.0 / static_cast<double>(points - 1));
  for (std::int64_t i = 0; i < points; ++i) attempt(smallest * std::pow(ratio, static_cast<double>(i)));
  const double best = result.strength;
  for (double share : {-2.0 / 3, -1.0 / 3, 1.0 / 3, 2.0 / 3}) attempt(best * std::pow(ratio, share));
  return result;
}

}  // namespace unchannel::baselines
