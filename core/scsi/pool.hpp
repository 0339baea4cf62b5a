#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include <unchannel/measurement/channel.hpp>

#include "observations.hpp"

// Shape legend: P pool size · D data dimension
namespace unchannel {

/// Transported signals with the observations they came from. A refresh replaces the oldest ones; inner steps draw from all.
class Pool {
 public:
  Pool() = default;
  explicit Pool(std::int64_t capacity) : capacity_(capacity) {}

  std::int64_t size() const { return signals_PD_.defined() ? signals_PD_.size(0) : 0; }
  std::int64_t capacity() const { return capacity_; }
  /// Adds signals with their observations; once full, the oldest rows are overwritten.
  void add(const ObservationBatch& observed, const at::Tensor& signals_BD);

  /// x + ω (x − x′), x′ the signal that the pool last held for the same observation; x where it held none. Each outer iteration moves a
  /// signal part of the way to its fixed point, always in the same direction: a longer step gets there sooner.
  at::Tensor over_relaxed(const ObservationBatch& observed, const at::Tensor& signals_BD, double omega) const;

  /// Rows `index_B` of each part.
  at::Tensor signals(const at::Tensor& index_B) const { return signals_PD_.index_select(0, index_B); }
  at::Tensor observations(const at::Tensor& index_B) const { return lifted_PD_.index_select(0, index_B); }
  Latents latents(const at::Tensor& index_B) const;
  /// [B] float32, 0 for observations that could not be lifted; undefined when all could.
  at::Tensor weights(const at::Tensor& index_B) const;
  /// Their row numbers in the file of observations, int64.
  at::Tensor rows(const at::Tensor& index_B) const { return rows_P_.index_select(0, index_B); }

  std::map<std::string, at::Tensor> tensors() const;
  void restore(const std::map<std::string, at::Tensor>& tensors);

 private:
  std::int64_t capacity_ = 0;
  std::int64_t next_ = 0;
  at::Tensor signals_PD_, lifted_PD_, rows_P_, weight_P_;
  Latents latents_;
};

}  // namespace unchannel
