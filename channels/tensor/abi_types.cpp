#include "abi_types.hpp"

#include <nlohmann/json.hpp>

namespace unchannel {
namespace {

at::ScalarType scalar_type(std::int32_t latent_type) {
  switch (latent_type) {
    case UNCHANNEL_LATENT_I32:
      return at::kInt;
    case UNCHANNEL_LATENT_I64:
      return at::kLong;
    default:
      return at::kFloat;
  }
}

}  // namespace

Determinism determinism_of(std::int32_t determinism) {
  switch (determinism) {
    case UNCHANNEL_DETERMINISM_PER_SAMPLE:
      return Determinism::kPerSample;
    case UNCHANNEL_DETERMINISM_PER_BATCH:
      return Determinism::kPerBatch;
    default:
      return Determinism::kNone;
  }
}

LatentChoice latent_choice(const LatentDescription& latent, std::vector<std::int64_t> shape) {
  LatentChoice choice;
  choice.spec.name = latent.id;
  choice.spec.shape = std::move(shape);
  choice.spec.type = scalar_type(latent.dtype);
  choice.spec.unit = latent.unit;
  choice.spec.prior = latent.prior;
  choice.spec.visible = latent.visible();
  choice.spec.depends_on_signal = latent.depends_on_signal();
  choice.data_only = latent.data_only();
  return choice;
}

nlohmann::json latent_record(const std::vector<LatentSpec>& latents) {
  nlohmann::json record = nlohmann::json::object();
  for (const LatentSpec& spec : latents) record[spec.name] = {{"visible", spec.visible}, {"source", latent_source_name(spec.source)}};
  return record;
}

}  // namespace unchannel
