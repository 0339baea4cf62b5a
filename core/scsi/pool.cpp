#include "pool.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <unordered_map>

namespace unchannel {
namespace {

/// Writes `rows` into `target` from slot `next` on, growing it up to `capacity` and wrapping around.
void write_ring(at::Tensor& target, const at::Tensor& rows, std::int64_t next, std::int64_t capacity) {
  if (!target.defined()) {
    std::vector<std::int64_t> shape = rows.sizes().vec();
    shape[0] = 0;
    target = at::empty(shape, rows.options());
  }
  std::int64_t done = 0;
  while (done < rows.size(0)) {
    const std::int64_t slot = (next + done) % capacity;
    const std::int64_t count = std::min(rows.size(0) - done, capacity - slot);
    const at::Tensor part = rows.slice(0, done, done + count);
    const std::int64_t inside = std::clamp<std::int64_t>(target.size(0) - slot, 0, count);
    if (inside > 0) target.slice(0, slot, slot + inside).copy_(part.slice(0, 0, inside));
    if (inside < count) target = at::cat({target, part.slice(0, inside)});
    done += count;
  }
}

}  // namespace

void Pool::add(const ObservationBatch& observed, const at::Tensor& signals_BD) {
  write_ring(signals_PD_, signals_BD, next_, capacity_);
  write_ring(lifted_PD_, observed.lifted_BD, next_, capacity_);
  write_ring(rows_P_, observed.row_numbers(), next_, capacity_);
  write_ring(weight_P_, observed.weight_B.defined() ? observed.weight_B : at::ones({signals_BD.size(0)}), next_, capacity_);
  for (const auto& [name, values] : observed.latents) write_ring(latents_[name], values, next_, capacity_);
  next_ = (next_ + signals_BD.size(0)) % capacity_;
}

at::Tensor Pool::over_relaxed(const ObservationBatch& observed, const at::Tensor& signals_BD, double omega) const {
  std::unordered_map<std::int64_t, std::int64_t> slot_of;
  for (std::int64_t age = 0; age < size(); ++age) {  // oldest first: the newest signal of a row wins
    const std::int64_t slot = (next_ + age) % size();
    slot_of[rows_P_.const_data_ptr<std::int64_t>()[slot]] = slot;
  }
  at::Tensor slot_B = at::empty({signals_BD.size(0)}, at::kLong), weight_B1 = at::zeros({signals_BD.size(0), 1});
  for (std::int64_t row = 0; row < signals_BD.size(0); ++row) {
    const auto found = slot_of.find(static_cast<std::int64_t>(observed.rows[static_cast<std::size_t>(row)]));
    slot_B.data_ptr<std::int64_t>()[row] = found == slot_of.end() ? 0 : found->second;
    if (found != slot_of.end()) weight_B1.data_ptr<float>()[row] = static_cast<float>(omega);
  }
  return signals_BD + weight_B1 * (signals_BD - signals(slot_B));
}

at::Tensor Pool::weights(const at::Tensor& index_B) const {
  const at::Tensor weight_B = weight_P_.index_select(0, index_B);
  return weight_B.all().item<bool>() ? at::Tensor() : weight_B;
}

Latents Pool::latents(const at::Tensor& index_B) const {
  Latents result;
  for (const auto& [name, values] : latents_) result.emplace(name, values.index_select(0, index_B));
  return result;
}

std::map<std::string, at::Tensor> Pool::tensors() const {
  std::map<std::string, at::Tensor> result = {{"signals", signals_PD_},
                                              {"observations", lifted_PD_},
                                              {"rows", rows_P_},
                                              {"weights", weight_P_},
                                              {"state", at::tensor({capacity_, next_}, at::kLong)}};
  for (const auto& [name, values] : latents_) result.emplace("latents." + name, values);
  return result;
}

void Pool::restore(const std::map<std::string, at::Tensor>& tensors) {
  signals_PD_ = tensors.at("signals");
  lifted_PD_ = tensors.at("observations");
  rows_P_ = tensors.at("rows");
  weight_P_ = tensors.at("weights");
  capacity_ = tensors.at("state")[0].item<std::int64_t>();
  next_ = tensors.at("state")[1].item<std::int64_t>();
  for (const auto& [name, values] : tensors) {
    if (name.starts_with("latents.")) latents_[name.substr(8)] = values;
  }
}

}  // namespace unchannel
