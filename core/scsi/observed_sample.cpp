#include "observed_sample.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <unchannel/measurement/failure_watch.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kMaxRows = 32768;
constexpr std::int64_t kMaxSampleBytes = std::int64_t{64} << 20;
constexpr std::int64_t kBlockRows = 512;

}  // namespace

ObservedSample read_sample(const Observations& observations) {
  const std::int64_t dimension = observations.signal_size();
  const std::int64_t fitting = kMaxSampleBytes / static_cast<std::int64_t>(sizeof(float)) / dimension;
  const std::int64_t rows = std::min({kMaxRows, observations.training_rows(), std::max<std::int64_t>(fitting, kBlockRows)});
  std::map<std::string, std::vector<at::Tensor>> latents;
  ObservedSample sample{at::empty({rows, dimension}), {}};
  std::int64_t count = 0;
  observations.for_each_training_block(kBlockRows, rows, [&](const ObservationBatch& batch) {
    const at::Tensor y_BD = valid_rows(batch.lifted_BD, batch.weight_B);
    sample.y_ND.slice(0, count, count + y_BD.size(0)) = y_BD;
    for (const auto& [name, values] : batch.latents) latents[name].push_back(valid_rows(values, batch.weight_B));
    count += y_BD.size(0);
  });
  sample.y_ND = sample.y_ND.slice(0, 0, count);
  for (const auto& [name, list] : latents) sample.latents.emplace(name, at::cat(list));
  return sample;
}

Latents bootstrap_latents(const Latents& observed, std::int64_t count, RandomKey key) {
  Latents result;
  if (observed.empty()) return result;
  const std::int64_t rows = observed.begin()->second.size(0);
  at::Tensor pick_B = at::empty({count}, at::kLong);
  std::int64_t* pick = pick_B.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i)
    pick[i] = static_cast<std::int64_t>(key.bits(static_cast<std::uint64_t>(i), 1) % static_cast<std::uint64_t>(rows));
  for (const auto& [name, values] : observed) result.emplace(name, values.index_select(0, pick_B));
  return result;
}

}  // namespace unchannel
