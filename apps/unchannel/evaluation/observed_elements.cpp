#include "observed_elements.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include <unchannel/transport/solver.hpp>

namespace unchannel {
namespace {

/// Only a channel whose latents are all known can be asked what it hides.
bool hides_visibly(const Channel& channel, const Latents& known) {
  bool visible = false;
  for (const LatentSpec& spec : channel.latents()) {
    if (!known.contains(spec.name)) return false;
    visible = visible || (spec.visible && spec.source == LatentSource::kFresh);
  }
  return visible && channel.has_mean();
}

}  // namespace

at::Tensor observed_elements(const Channel& channel, const ObservationBatch& batch) {
  at::Tensor observed_NM;
  const auto only = [&](const at::Tensor& use) {
    if (use.numel() != batch.raw_BM.numel()) return;
    const at::Tensor use_NM = use.reshape(batch.raw_BM.sizes());
    observed_NM = observed_NM.defined() ? observed_NM.logical_and(use_NM) : use_NM;
  };
  for (const LatentSpec& spec : channel.latents()) {
    const auto found = batch.latents.find(spec.name);
    if (found == batch.latents.end() || spec.source == LatentSource::kFresh) continue;
    if (spec.name == "mask") only(found->second.eq(0));
    if (spec.name == "ivar") only(found->second.gt(0));
  }
  if (hides_visibly(channel, batch.latents)) {
    const at::Tensor probe_ND = normal_rows(RandomKey(1).derive(Purpose::kBaseline), batch.row_numbers(), batch.lifted_BD.size(1));
    // Exact equality: an element that the signal does not reach is computed from the same numbers both times.
    only(channel.mean(probe_ND, batch.latents).ne(channel.mean(-probe_ND, batch.latents)));
  }
  return observed_NM.defined() && observed_NM.all().item<bool>() ? at::Tensor() : observed_NM;
}

const at::Tensor& observed_as_signals(const ObservationBatch& batch) {
  return batch.raw_BM.sizes() == batch.lifted_BD.sizes() ? batch.raw_BM : batch.lifted_BD;
}

at::Tensor without_unobserved(const at::Tensor& lifted_ND, const at::Tensor& observed_NM) {
  return observed_NM.defined() && observed_NM.sizes() == lifted_ND.sizes() ? lifted_ND.masked_fill(observed_NM.logical_not(), NAN)
                                                                           : lifted_ND;
}

}  // namespace unchannel
