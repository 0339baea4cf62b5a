#include "samples.hpp"

#include <unchannel/random.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace unchannel::conformance {
namespace {

constexpr std::uint64_t kInputKey = 0xC0FFEE;
enum Source : std::uint64_t { kSignal = 1, kTangent, kCotangent };

std::vector<float> normals(const Batch& batch, std::int64_t width, Source source) {
  std::vector<float> values(batch.ids.size() * static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    unchannel_normal_fill(unchannel_derive(kInputKey, source), batch.ids[i], 0, static_cast<std::uint64_t>(width),
                          values.data() + i * static_cast<std::size_t>(width));
  }
  return values;
}

std::vector<float> signals(const Batch& batch, std::int64_t width) {
  std::vector<float> values(batch.ids.size() * static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    unchannel_uniform_fill(unchannel_derive(kInputKey, kSignal), batch.ids[i], 0, static_cast<std::uint64_t>(width),
                           values.data() + i * static_cast<std::size_t>(width));
  }
  for (float& value : values) value = 0.1F + 0.8F * value;
  return values;
}

Bytes made_up(const LatentDescription& latent, std::int64_t elements) {
  Bytes bytes(static_cast<std::size_t>(elements * latent_bytes(latent.dtype)));
  if (latent.dtype != UNCHANNEL_LATENT_F32) return bytes;
  const float one = 1;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof one) std::memcpy(bytes.data() + at, &one, sizeof one);
  return bytes;
}

}  // namespace

void take_latents(const Instance& instance, const CallResult& drawn, Batch& batch) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < batch.latents.size(); ++i) {
    const LatentDescription& latent = instance.subject().description().latents[i];
    if (instance.layout().latents[i].active && !latent.data_only()) batch.latents[i] = drawn.outputs[next++].bytes;
  }
}

Batch make_inputs(const Instance& instance, std::int64_t count, std::uint64_t key, std::uint64_t first_id) {
  const Layout& layout = instance.layout();
  Batch batch;
  batch.key = key;
  batch.ids.resize(static_cast<std::size_t>(count));
  std::iota(batch.ids.begin(), batch.ids.end(), first_id);
  batch.x = signals(batch, layout.x_size);
  batch.tangent = normals(batch, layout.x_size, kTangent);
  batch.cotangent = normals(batch, layout.y_size, kCotangent);
  batch.y.assign(static_cast<std::size_t>(count * layout.y_size), 0.0F);
  batch.latents.resize(layout.latents.size());
  for (std::size_t i = 0; i < layout.latents.size(); ++i) {
    const LatentDescription& latent = instance.subject().description().latents[i];
    if (layout.latents[i].active && latent.data_only()) batch.latents[i] = made_up(latent, count * layout.latents[i].size);
  }
  take_latents(instance, call_ok(instance, Operation::draw_latents, batch), batch);
  return batch;
}

Batch make_batch(const Instance& instance, std::int64_t count, std::uint64_t key, std::uint64_t first_id) {
  Batch batch = make_inputs(instance, count, key, first_id);
  const CallResult y = call_ok(instance, Operation::simulate, batch);
  batch.y.assign(y.floats(), y.floats() + batch.y.size());
  return batch;
}

std::string made_up_latents(const Instance& instance) {
  std::string names;
  for (std::size_t i = 0; i < instance.layout().latents.size(); ++i) {
    const LatentDescription& latent = instance.subject().description().latents[i];
    if (instance.layout().latents[i].active && latent.data_only()) names += (names.empty() ? "" : ", ") + latent.id;
  }
  if (names.empty()) return "";
  return fmt::format("latents {} come with data: ones (zeros for integers) were made up for them", names);
}

std::int64_t sample_count(const Layout& layout, std::int64_t wanted) {
  constexpr std::int64_t kMostNumbers = std::int64_t{1} << 22;
  return std::clamp<std::int64_t>(kMostNumbers / (layout.x_size + layout.y_size), 4, wanted);
}

std::vector<std::size_t> range(std::size_t begin, std::size_t end) {
  std::vector<std::size_t> rows(end - begin);
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

}  // namespace unchannel::conformance
