#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "channel.hpp"

// Shape legend: B batch
namespace unchannel {

/// Which samples of a measurement fail. Failures of earlier calls are forgotten when a watch begins, so that their row numbers, which
/// belong to other batches, are never taken for rows of this one.
class FailureWatch {
 public:
  explicit FailureWatch(const Channel& channel) : channel_(channel) { channel_.take_failed_samples(); }
  /// [rows] float32: 0 for rows that failed since, 1 for the others. Undefined when none failed.
  at::Tensor weight_B(std::int64_t rows) const;

 private:
  const Channel& channel_;
};

/// Product of two such weights, each possibly undefined.
at::Tensor both_weights(const at::Tensor& a_B, const at::Tensor& b_B);
/// The rows of `values` whose weight is not zero; all of them when the weight is undefined.
at::Tensor valid_rows(const at::Tensor& values, const at::Tensor& weight_B);

}  // namespace unchannel
