#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <unchannel/base/random.hpp>

namespace unchannel::metrics_test {

// The formula of golden/make_golden.py.
inline at::Tensor wave_sample(std::int64_t rows, double phase) {
  const at::Tensor i = at::arange(rows, at::kDouble).unsqueeze(1), j = at::arange(7, at::kDouble).unsqueeze(0);
  return (0.7 * i + 1.3 * j + phase).sin() + 0.3 * (2.1 * i * (j + 1)).cos() + 0.05 * j;
}

// Independent standard normals [rows, columns] float32.
inline at::Tensor normals(std::int64_t rows, std::int64_t columns, std::uint64_t key) {
  at::Tensor x = at::empty({rows, columns}, at::kFloat);
  for (std::int64_t r = 0; r < rows; ++r)
    RandomKey(key).normal(static_cast<std::uint64_t>(r), 0, static_cast<std::uint32_t>(columns), x.mutable_data_ptr<float>() + r * columns);
  return x;
}

}  // namespace unchannel::metrics_test
