#pragma once

#include <ATen/core/Tensor.h>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/observed_rows.hpp>

// Shape legend: N objects · D signal elements · M observation elements
namespace unchannel {

/// Which elements of the observations say anything of the signal, bool [N, M]; undefined where all do. Left out are those that the data
/// flag (latents `mask`, 1 = bad, and `ivar`, 0 = unknown, that come with them) and those that the channel hides by a latent which the
/// model sees: its noise-free mean there does not depend on the signal.
at::Tensor observed_elements(const Channel& channel, const ObservationBatch& batch);

/// The observations on the grid of the signals: as they are where both have one size, else lifted. [N, D]
const at::Tensor& observed_as_signals(const ObservationBatch& batch);

/// NaN in elements that were not observed; unchanged where observations and signals have different grids.
at::Tensor without_unobserved(const at::Tensor& lifted_ND, const at::Tensor& observed_NM);

}  // namespace unchannel
