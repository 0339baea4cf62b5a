#include "opened_run.hpp"

#include <unchannel/scsi/cost_estimate.hpp>

namespace unchannel::diagnostics {

OpenedRun::OpenedRun(const std::filesystem::path& run, const TrainSettings& train_settings, const Channel& run_channel)
    : settings(train_settings),
      channel(run_channel),
      key(static_cast<std::uint64_t>(settings.run.key)),
      trained(open_trained_model(run, settings.model, settings.interpolant)),
      observations(settings.data, channel, key) {}

at::Tensor OpenedRun::restore(const at::Tensor& y_ND, const Latents& visible, RandomKey own, const at::Tensor& ids_N) const {
  return trained.model.transport(*trained.network, y_ND, visible, settings.transport.in_restoration(), own, ids_N);
}

GapTestCase gap_test_case(const OpenedRun& run) {
  const Restore restore = [&run](const at::Tensor& y_ND, const Latents& visible, RandomKey key, const at::Tensor& ids_N) {
    return run.restore(y_ND, visible, key, ids_N);
  };
  return {.channel = run.channel,
          .restore = restore,
          .known = run.observations.training_sample(kVerdictRows),
          .early_stop = run.observations.early_stop(),
          .test = run.observations.test(),
          .training_rows = run.observations.training_rows(),
          .key = run.key.derive(Purpose::kMetric)};
}

}  // namespace unchannel::diagnostics
