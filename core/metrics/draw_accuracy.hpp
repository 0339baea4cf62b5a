#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "bootstrap.hpp"

// Shape legend: B objects of a block · S draws of each · D elements
namespace unchannel::metrics {

/// What S posterior draws of each object say of its truth, collected block by block, so that all draws are never held at once. Standard errors are those
/// of a bootstrap over objects; lengths are in the unit of the draws.
class DrawAccuracy {
 public:
  /// truth_BD [B, D], draws_BSD [B, S, D], S ≥ 2, the same in every block; `key` breaks ties of ranks. Throws like posterior_ranks.
  void add(const at::Tensor& truth_BD, const at::Tensor& draws_BSD, RandomKey key);

  // After the last block.
  Estimate coverage_50() const { return share_of(inside_50_); }  ///< share of all elements inside their central interval
  Estimate coverage_90() const { return share_of(inside_90_); }
  Estimate mean_rmse() const;  ///< of the mean of the draws
  double spread() const;       ///< root mean variance of the draws; mean_rmse² is spread² (1 + 1/S) where they are calibrated

 private:
  static Estimate share_of(const std::vector<at::Tensor>& inside);
  std::vector<at::Tensor> inside_50_, inside_90_, errors_, variances_;
};

}  // namespace unchannel::metrics
