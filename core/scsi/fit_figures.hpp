#pragma once

#include <unchannel/measurement/channel.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "observations.hpp"

// Shape legend: B rows · D data dimension
namespace unchannel {

/// How well a model fits observations, without clean data. All three compare restorations x̂ = Φ(y) with what the simulator makes of them.
struct FitFigures {
  double loss = 0.0;          ///< the training loss on pairs (x̂, F(x̂)), at times spread evenly over (0, 1]
  double residual_rms = 0.0;  ///< root mean square of y − x̂ over rows and elements, data units
  double redraw_rmse = 0.0;   ///< root mean square of Φ(F(x̂)) − x̂: the error a restoration would have if x̂ were the truth, data units
};

/// Figures on `rows`, with fresh latents and noise by `key`: the same random numbers whenever key and rows are the same, so that two
/// models are compared on equal terms.
FitFigures fit_figures(const DriftModel& model, Network& network, const Channel& channel, const ObservationBatch& rows, const Integration& how,
                       RandomKey key);

}  // namespace unchannel
