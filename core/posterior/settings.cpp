#include "settings.hpp"

#include <limits>

namespace unchannel {
namespace {
constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
}

void SamplerSettings::visit(SettingsVisitor& visitor) {
  visitor.text({"signals",
                "HDF5 file with /signals to learn from, with the latents that their simulation takes from data. Empty: the run's restorations of its "
                "training observations, which are draws of the learnt prior."},
               signals);
  visitor.integer({"rows", "Training observations restored for this; 0: all.", "rows"}, rows, 0, kAny);
  visitor.integer({"held_out_rows", "Signals that are not learnt: simulated pairs of them say whether the sampler is calibrated.", "rows"}, held_out_rows, 64,
                  kAny);
  visitor.integer({"steps", "Steps of the fit."}, steps, 1, kAny);
  visitor.integer({"batch", "Signals simulated in one step."}, batch, 1, 1 << 20);
  visitor.integer({"resamples", "Times drawn for each simulated pair; network rows a step = batch * resamples."}, resamples, 1, 1024);
  visitor.integer({"solver_steps", "Steps of a draw, two network calls each."}, solver_steps, 1, 4096);
  visitor.integer({"calibration_samples", "Draws for each held-out pair; 19, 39, 59 or 79 make ranks of which 50 and 90 % are whole numbers."},
                  calibration_samples, 9, 10000);
}

}  // namespace unchannel
