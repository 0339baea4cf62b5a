#include "law_contrast.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <unchannel/base/error.hpp>

namespace unchannel::diagnostics {
namespace {

constexpr std::int64_t kMostCoordinates = 64;
constexpr double kThreshold = 2.5;  // of 256 entries of noise about three exceed it

/// L-moments in the orthonormal convention: [Q, J].
at::Tensor shapes_of(const at::Tensor& rows_NQ) {
  const auto N = static_cast<double>(rows_NQ.size(0));
  const at::Tensor s_N = 2.0 * (at::arange(rows_NQ.size(0), at::kDouble) + 0.5) / N - 1.0;
  const at::Tensor square_N = s_N.square();
  const at::Tensor polynomials_NJ = at::stack(
      {at::ones_like(s_N), std::sqrt(3.0) * s_N, std::sqrt(5.0) * (1.5 * square_N - 0.5), std::sqrt(7.0) * s_N * (2.5 * square_N - 1.5)},
      1);
  return std::get<0>(rows_NQ.sort(0)).t().matmul(polynomials_NJ) / N;
}

}  // namespace

at::Tensor quantile_contrast(const at::Tensor& a_NQ, const at::Tensor& b_MQ) {
  check<ShapeError>(a_NQ.dim() == 2 && b_MQ.dim() == 2 && a_NQ.size(1) == b_MQ.size(1) && a_NQ.size(0) > 0 && b_MQ.size(0) > 0,
                    "diagnostics: two samples must be [N, Q] and [M, Q] with one Q.");
  return shapes_of(a_NQ.to(at::kDouble)) - shapes_of(b_MQ.to(at::kDouble));
}

double ContrastFilter::along(const at::Tensor& contrast_QJ) const { return (weight_QJ * contrast_QJ).sum().item<double>(); }

ContrastFilter choose_filter(const at::Tensor& contrast_QJ, double standard_error) {
  const double least = kThreshold * standard_error;
  at::Tensor weight_QJ = contrast_QJ * (1.0 - (least / contrast_QJ.abs().clamp_min(1e-300)).square()).clamp_min(0.0);
  if (!weight_QJ.any().item<bool>()) weight_QJ = contrast_QJ;
  ContrastFilter filter{weight_QJ / weight_QJ.norm().clamp_min(1e-300)};
  const at::Tensor share_Q = filter.weight_QJ.square().sum(1);
  filter.coordinates = 1.0 / std::max(1e-12, share_Q.square().sum().item<double>());
  return filter;
}

ContrastCoordinates::ContrastCoordinates(const at::Tensor& observed_ND, const at::Tensor& simulated_MD)
    : whitened_(observed_ND, kMostCoordinates) {
  const at::Tensor simulated_MQ = whitened_(simulated_MD);
  check<DataError>(simulated_MQ.isfinite().all().item<bool>(), "diagnostics: simulated observations hold NaN or infinity.");
  const at::Tensor centred_MQ = simulated_MQ - simulated_MQ.mean(0);
  turn_QQ_ = std::get<1>(at::linalg_eigh(centred_MQ.t().matmul(centred_MQ)));
}

at::Tensor ContrastCoordinates::operator()(const at::Tensor& rows_ND) const { return whitened_(rows_ND).matmul(turn_QQ_); }

}  // namespace unchannel::diagnostics
