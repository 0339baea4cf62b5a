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

/// 0 at the elements that are declared free of signal, 1 elsewhere.
at::Tensor kept_elements(const std::vector<std::int64_t>& elements, std::int64_t dimension) {
  at::Tensor keep_D = at::ones({dimension}, at::kFloat);
  for (const std::int64_t element : elements) {
    check<ConfigError>(element < dimension, "unknown.signal_free_elements: {} is no element of signals with {}; they count from 0.",
                       element, dimension);
    keep_D.mutable_data_ptr<float>()[element] = 0.0F;
  }
  return keep_D;
}

/// An orthonormal basis [D, K] of the declared directions, as far as they reach beyond the elements.
at::Tensor free_basis(const std::vector<std::vector<double>>& directions, const at::Tensor& keep_D) {
  const std::int64_t dimension = keep_D.size(0);
  std::vector<at::Tensor> rows;
  for (const std::vector<double>& direction : directions) {
    check<ConfigError>(static_cast<std::int64_t>(direction.size()) == dimension,
                       "unknown.signal_free_directions: a row has {} numbers; signals have {} elements. Give one number for each.",
                       direction.size(), dimension);
    rows.push_back(at::tensor(direction, at::kDouble) * keep_D);
  }
  if (rows.empty()) return at::zeros({dimension, 0});
  const auto [left_KK, scale_K, right_KD] = at::linalg_svd(at::stack(rows), /*full_matrices=*/false);
  check<ConfigError>(scale_K[0].item<double>() > 0.0, "unknown.signal_free_directions: all rows are zero or lie in signal_free_elements.");
  const auto rank = scale_K.gt(kDependent * scale_K[0]).sum().item<std::int64_t>();
  return right_KD.slice(0, 0, rank).t().to(at::kFloat).contiguous();
}

}  // namespace

std::optional<SignalSet> SignalSet::declared(const UnknownSettings& unknown, const ModelSettings& model, std::int64_t dimension) {
  SignalSet set;
  if (!unknown.declared() || (unknown.constraint != "signal_free" && unknown.constraint != "range")) return std::nullopt;
  if (unknown.constraint == "signal_free") {
    const std::size_t count = unknown.signal_free_elements.size() + unknown.signal_free_directions.size();
    check<ConfigError>(static_cast<std::int64_t>(count) < dimension,
                       "unknown.signal_free_elements and signal_free_directions are {} for signals of {} elements; leave room for signals.",
                       count, dimension);
    set.keep_D_ = kept_elements(unknown.signal_free_elements, dimension);
    set.free_DK_ = free_basis(unknown.signal_free_directions, set.keep_D_);
  }
  set.low_ = model.signal_min;
  set.high_ = model.signal_max;
  return set;
}

at::Tensor SignalSet::project(const at::Tensor& x_ND) const {
  if (!keep_D_.defined()) return x_ND.clamp(low_, high_);
  const at::Tensor kept_ND = x_ND * keep_D_;
  return free_DK_.size(1) == 0 ? kept_ND : kept_ND - kept_ND.matmul(free_DK_).matmul(free_DK_.t());
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
