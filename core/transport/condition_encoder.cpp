#include "condition_encoder.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include <unchannel/base/error.hpp>

namespace unchannel {

ConditionEncoder ConditionEncoder::fit(const std::map<std::string, at::Tensor>& visible, std::int64_t plane_size) {
  std::vector<Entry> entries;
  for (const auto& [name, values] : visible) {
    Entry entry;
    entry.name = name;
    entry.size = values.numel() / std::max<std::int64_t>(1, values.size(0));
    entry.plane = plane_size > 1 && entry.size % plane_size == 0;
    const at::Tensor wide = values.to(at::kDouble);
    entry.mean = wide.mean().item<double>();
    entry.deviation = std::max(1e-12, wide.std(/*unbiased=*/false).item<double>());
    entries.push_back(entry);
  }
  return ConditionEncoder(std::move(entries), plane_size);
}

std::int64_t ConditionEncoder::planes() const {
  std::int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.plane ? entry.size / plane_size_ : 0;
  return count;
}

std::int64_t ConditionEncoder::conditions() const {
  std::int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.plane ? 0 : entry.size;
  return count;
}

at::Tensor ConditionEncoder::encode(const Entry& entry, const std::map<std::string, at::Tensor>& latents) const {
  const auto found = latents.find(entry.name);
  check<ShapeError>(found != latents.end(),
                    "latent '{}' is visible to the model but was not given; the data need /latents/{} for every observation.", entry.name,
                    entry.name);
  const at::Tensor& values = found->second;
  check<ShapeError>(values.numel() == values.size(0) * entry.size, "latent '{}' has {} values per sample; the model was built for {}.",
                    entry.name, values.numel() / std::max<std::int64_t>(1, values.size(0)), entry.size);
  return values.to(at::kFloat).sub(entry.mean).div_(entry.deviation).asinh_().view({values.size(0), entry.size});
}

at::Tensor ConditionEncoder::planes_BPS(const std::map<std::string, at::Tensor>& latents) const {
  std::vector<at::Tensor> parts;
  for (const Entry& entry : entries_) {
    if (entry.plane) parts.push_back(encode(entry, latents).unflatten(1, {-1, plane_size_}));
  }
  return parts.empty() ? at::Tensor() : at::cat(parts, 1);
}

at::Tensor ConditionEncoder::conditions_BC(const std::map<std::string, at::Tensor>& latents) const {
  std::vector<at::Tensor> parts;
  for (const Entry& entry : entries_) {
    if (!entry.plane) parts.push_back(encode(entry, latents));
  }
  return parts.empty() ? at::Tensor() : at::cat(parts, 1);
}

}  // namespace unchannel
