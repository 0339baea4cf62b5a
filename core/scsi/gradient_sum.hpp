#pragma once

#include <ATen/core/Tensor.h>

#include <unchannel/distributed/ranks.hpp>
#include <unchannel/nn/network.hpp>

namespace unchannel {

/// Gradients and loss of a step that several ranks share, summed over them in one exchange of 4 (parameters + 1) bytes.
class GradientSum {
 public:
  explicit GradientSum(const Network& network);

  /// Replaces the network's gradients, each of a rank's weighted part of the loss, by their sum over the ranks; a parameter without a gradient
  /// counts as zero. Returns the sum of `loss_part`. Gradients on a GPU go through the processor's memory.
  double over(Ranks& ranks, double loss_part);

 private:
  std::vector<at::Tensor> parameters_;
  at::Tensor flat_;  ///< float32: gradients in the order of the parameters, the loss
};

}  // namespace unchannel
