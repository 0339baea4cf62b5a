#include "philox_tensors.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <unchannel/random.h>

#include <cmath>
#include <unchannel/sdk/poisson.hpp>

namespace unchannel {
namespace {

constexpr double kLargestMean = 1e12;  // of sdk::poisson

std::uint64_t derived(RandomKey key, std::uint64_t purpose, std::uint32_t domain, std::uint64_t index) {
  return unchannel_derive(unchannel_derive(key.value(), unchannel_tag(UNCHANNEL_TAG_PURPOSE, purpose)), unchannel_tag(domain, index));
}

/// Calls fill(id, row) for every row, in parallel.
template <class Fill>
void for_rows(const at::Tensor& ids_B, at::Tensor& rows_BN, const Fill& fill) {
  const at::Tensor ids = ids_B.cpu().contiguous();
  const auto* id = ids.const_data_ptr<std::int64_t>();
  auto* out = rows_BN.mutable_data_ptr<float>();
  const std::int64_t count = rows_BN.size(1);
  at::parallel_for(0, rows_BN.size(0), 1 + 16384 / (count + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) fill(static_cast<std::uint64_t>(id[i]), out + i * count);
  });
}

}  // namespace

RandomKey latent_key(RandomKey key, std::uint64_t index) {
  return RandomKey(derived(key, UNCHANNEL_PURPOSE_LATENTS, UNCHANNEL_TAG_LATENT, index));
}

RandomKey noise_key(RandomKey key, std::uint64_t index) {
  return RandomKey(derived(key, UNCHANNEL_PURPOSE_SIMULATE, UNCHANNEL_TAG_NOISE, index));
}

at::Tensor normals(RandomKey key, const at::Tensor& ids_B, std::int64_t count, c10::Device device) {
  at::Tensor rows_BN = at::empty({ids_B.numel(), count}, at::kFloat);
  for_rows(ids_B, rows_BN, [&](std::uint64_t id, float* row) { key.normal(id, 0, static_cast<std::uint32_t>(count), row); });
  return rows_BN.to(device);
}

at::Tensor uniforms(RandomKey key, const at::Tensor& ids_B, std::int64_t count, c10::Device device) {
  at::Tensor rows_BN = at::empty({ids_B.numel(), count}, at::kFloat);
  for_rows(ids_B, rows_BN, [&](std::uint64_t id, float* row) { key.uniform(id, 0, static_cast<std::uint32_t>(count), row); });
  return rows_BN.to(device);
}

at::Tensor poisson_counts(RandomKey key, const at::Tensor& ids_B, const at::Tensor& mean_BN) {
  // Row by row in place: a mean is read before its count is written.
  at::Tensor rows_BN = mean_BN.cpu().contiguous().clone();
  const std::int64_t count = rows_BN.size(1);
  for_rows(ids_B, rows_BN, [&](std::uint64_t id, float* row) {
    for (std::int64_t j = 0; j < count; ++j) {
      const auto mean = static_cast<double>(row[j]);
      const bool possible = mean >= 0 && mean <= kLargestMean;
      row[j] = possible ? static_cast<float>(sdk::poisson(key.value(), id, static_cast<std::uint32_t>(j), mean)) : std::nanf("");
    }
  });
  return rows_BN.to(mean_BN.device());
}

}  // namespace unchannel
