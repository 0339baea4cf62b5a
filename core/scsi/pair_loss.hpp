#pragma once

#include <unchannel/measurement/channel.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "observations.hpp"

// Shape legend: B rows · D data dimension
namespace unchannel {

/// The training loss of a model on pairs (x̂, F(x̂)) of its own restorations x̂ = Φ(y) of `rows`, at times spread evenly over (0, 1], dropout
/// off. Needs no clean data. Larger on held-out rows than on training rows: the network knows the latter by heart. Fresh latents and noise by
/// `key`, the same whenever key and rows are, so that two models are compared on equal terms.
double pair_loss(const DriftModel& model, Network& network, const Channel& channel, const ObservationBatch& rows, const Integration& how,
                 RandomKey key);

}  // namespace unchannel
