#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include <unchannel/base/random.hpp>

// Shape legend: N objects · K summary values of an object · R resamples
namespace unchannel::metrics {

/// A figure and the standard deviation of its bootstrap distribution over objects.
struct Estimate {
  double value = 0;
  double standard_error = 0;
};

/// The key from which metrics draw (directions, resamples) where the caller gives none: figures of different runs are comparable.
RandomKey default_metric_key();

/// Bootstrap over objects of a statistic that depends on the objects through the mean of K numbers each: the RMSE is the root
/// of the mean of one number, a spread the root of a difference of two means.
/// values_NK [N, K] · statistic maps means [R, K] float64 to [R] · resamples R ≥ 2 rows drawn with replacement.
/// `value` is the statistic of all objects. Throws ShapeError.
Estimate bootstrap(const at::Tensor& values_NK, const std::function<at::Tensor(const at::Tensor&)>& statistic,
                   RandomKey key = default_metric_key(), std::int64_t resamples = 200);

/// Mean of per-object numbers [N] with its bootstrap standard error.
Estimate bootstrap_mean(const at::Tensor& values_N, RandomKey key = default_metric_key(), std::int64_t resamples = 200);

/// Root of the mean of per-object squared errors [N], as in `squared_error_per_object`.
Estimate bootstrap_rmse(const at::Tensor& squared_error_N, RandomKey key = default_metric_key(), std::int64_t resamples = 200);

/// Spread error (`spread_error`) of paired rows, resampling both together.
Estimate bootstrap_spread_error(const at::Tensor& restored_ND, const at::Tensor& truth_ND, RandomKey key = default_metric_key(),
                                std::int64_t resamples = 100);

/// Spread error against a law whose standard deviations law_spread_D [D] are known and all positive, resampling the restored objects.
/// Unlike the paired one it contains the scatter of N objects, about 1/√(2N). Throws ShapeError.
Estimate bootstrap_spread_error_of_law(const at::Tensor& restored_ND, const at::Tensor& law_spread_D, RandomKey key = default_metric_key(),
                                       std::int64_t resamples = 100);

}  // namespace unchannel::metrics
