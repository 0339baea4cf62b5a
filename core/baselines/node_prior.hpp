#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <unchannel/data/prior/quasar_prior.hpp>

// Shape legend: D pixels · R factors · Q nodes
namespace unchannel::baselines {

/// A mixture of low-rank Gaussians, x | q ~ N(mean_q, F_q F_qᵀ) with weights that sum to one: what a signal law becomes when a
/// one-dimensional nuisance (the redshift) is integrated by quadrature.
struct NodePrior {
  std::int64_t dimension = 0;
  std::int64_t rank = 0;
  std::vector<double> weight;  ///< [Q]
  /// Writes mean [D] and factors [D, R] row-major of node q, float64.
  std::function<void(std::int64_t q, double* mean_D, double* factors_DR)> node;

  std::int64_t nodes() const { return static_cast<std::int64_t>(weight.size()); }
};

/// The quasar prior on `wavelength_D` [Å, observed frame], redshift uniform in [min, max] by the midpoint rule on `nodes` nodes.
/// 1,001 nodes over 2.75–3.25 are 37 km/s apart, below half a pixel of 84 km/s. `prior` is copied. Throws ConfigError.
NodePrior quasar_node_prior(const QuasarPrior& prior, std::span<const double> wavelength_D, double redshift_min, double redshift_max,
                            std::int64_t nodes = 1001);

/// The same in the rest frame: one Gaussian.
NodePrior rest_frame_prior(const QuasarPrior& prior, std::span<const double> rest_wavelength_D);

/// Mean [D] and covariance [D, D] of a prior, float64, exact for the nodes given.
struct Moments {
  at::Tensor mean_D;
  at::Tensor covariance_DD;
};
Moments moments(const NodePrior& prior);

}  // namespace unchannel::baselines
