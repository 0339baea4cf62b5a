// Compiled once for each version: UNCHANNEL_KERNEL_VERSION names its namespace.
#include "weight_kernel.hpp"

#include <algorithm>
#include <cmath>

namespace unchannel::UNCHANNEL_KERNEL_VERSION {
namespace {

double squares(std::int64_t count, const float* x) {
  constexpr std::int64_t kLanes = 64, kBlock = 64 * kLanes;  // lanes keep several vector additions going, and each adds 64 squares at most
  double total = 0.0;
  for (std::int64_t start = 0; start < count; start += kBlock) {
    const std::int64_t size = std::min(kBlock, count - start), whole = size - size % kLanes;
    float lanes[kLanes] = {};
    for (std::int64_t i = start; i < start + whole; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane] * x[i + lane];
    }
    for (std::int64_t i = start + whole; i < start + size; ++i) lanes[i - start - whole] += x[i] * x[i];
    for (const float lane : lanes) total += lane;
  }
  return total;
}

void adam(std::int64_t count, const AdamConstants& constants, const float* gradient, float* __restrict weight, float* __restrict m, float* __restrict v,
          float* __restrict average) {
  const AdamConstants k = constants;  // which no pointer can change
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = k.gradient_scale * gradient[i];
    const float first = k.beta1 * m[i] + k.share1 * g;
    const float second = k.beta2 * v[i] + k.share2 * g * g;
    const float updated = weight[i] - k.rate * first / (std::sqrt(second) * k.root_correction + k.epsilon);
    m[i] = first;
    v[i] = second;
    weight[i] = updated;
    average[i] += k.average_share * (updated - average[i]);
  }
}

}  // namespace

const WeightKernel weight_kernel = {squares, adam};

}  // namespace unchannel::UNCHANNEL_KERNEL_VERSION
