#include "signal_set.hpp"

#include <ATen/ATen.h>

#include <functional>
#include <numeric>
#include <utility>

#include <unchannel/base/error.hpp>

#include "projected_channel.hpp"

namespace unchannel::identification {
namespace {

constexpr double kDependent = 1e-6;  // of the largest singular value: a direction that the others span already

std::int64_t dimension_of(const Channel& channel) {
  const std::vector<std::int64_t> shape = channel.signal_shape();
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// An orthonormal basis [D, K] of all that is declared free of signal.
at::Tensor free_basis(const UnknownSettings& unknown, std::int64_t dimension) {
  const auto rows = static_cast<std::int64_t>(unknown.signal_free_elements.size() + unknown.signal_free_directions.size());
  check<ConfigError>(rows < dimension,
                     "unknown.signal_free_elements and signal_free_directions are {} for signals of {} elements; leave room for signals.", rows,
                     dimension);
  at::Tensor free_KD = at::zeros({rows, dimension}, at::kDouble);
  std::int64_t k = 0;
  for (const std::int64_t element : unknown.signal_free_elements) {
    check<ConfigError>(element < dimension, "unknown.signal_free_elements: {} is no element of signals with {}; they count from 0.", element,
                       dimension);
    free_KD[k++][element] = 1.0;
  }
  for (const std::vector<double>& direction : unknown.signal_free_directions) {
    check<ConfigError>(static_cast<std::int64_t>(direction.size()) == dimension,
                       "unknown.signal_free_directions: a row has {} numbers; signals have {} elements. Give one number for each.",
                       direction.size(), dimension);
    free_KD[k++].copy_(at::tensor(direction, at::kDouble));
  }
  const auto [left_KK, scale_K, right_KD] = at::linalg_svd(free_KD, /*full_matrices=*/false);
  check<ConfigError>(scale_K[0].item<double>() > 0.0, "unknown.signal_free_directions: all rows are zero.");
  const auto rank = scale_K.gt(kDependent * scale_K[0]).sum().item<std::int64_t>();
  return right_KD.slice(0, 0, rank).t().to(at::kFloat).contiguous();
}

}  // namespace

std::optional<SignalSet> SignalSet::declared(const UnknownSettings& unknown, const ModelSettings& model, std::int64_t dimension) {
  SignalSet set;
  if (!unknown.declared() || (unknown.constraint != "signal_free" && unknown.constraint != "range")) return std::nullopt;
  if (unknown.constraint == "signal_free") set.free_DK_ = free_basis(unknown, dimension);
  set.low_ = model.signal_min;
  set.high_ = model.signal_max;
  return set;
}

at::Tensor SignalSet::project(const at::Tensor& x_ND) const {
  return free_DK_.defined() ? x_ND - x_ND.matmul(free_DK_).matmul(free_DK_.t()) : x_ND.clamp(low_, high_);
}

double SignalSet::outside_rms(const at::Tensor& y_ND) const {
  return (y_ND - project(y_ND)).to(at::kDouble).square().sum(1).mean().sqrt().item<double>();
}

std::unique_ptr<Channel> with_signal_set(std::unique_ptr<Channel> inner, const UnknownSettings& unknown, const ModelSettings& model) {
  if (unknown.constraint != "signal_free") return inner;
  std::optional<SignalSet> set = SignalSet::declared(unknown, model, dimension_of(*inner));
  if (!set) return inner;
  return std::make_unique<ProjectedChannel>(std::move(inner), std::move(*set));
}

}  // namespace unchannel::identification
