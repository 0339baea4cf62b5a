#include "posterior_draws.hpp"

#include <ATen/ops/arange.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/baselines/moment_matching.hpp>
#include <unchannel/scsi/observations.hpp>

#include "declared_noise.hpp"

namespace unchannel {
namespace {

/// Every latent of the channel, hidden ones too: its mean needs them all.
Latents latents_of_rows(const DatasetReader& observations, const Channel& channel, const std::vector<std::uint64_t>& rows) {
  Latents latents;
  for (const LatentSpec& spec : channel.latents()) {
    const auto& stored = observations.latents();
    check<DataError>(std::any_of(stored.begin(), stored.end(), [&](const LatentInfo& info) { return info.name == spec.name; }),
                     "{}: /latents/{} is missing. Sampling with a known channel needs every latent of every observation; where they are "
                     "unknown, use restore.",
                     observations.path().string(), spec.name);
    latents.emplace(spec.name, latent_tensor(observations.read_latent(spec.name, rows), static_cast<std::int64_t>(rows.size()), spec));
  }
  return latents;
}

}  // namespace

std::string PosteriorSettings::name() const {
  const std::string how =
      method == "dps" ? fmt::format("form {}", form) : fmt::format("noise {:g}, {} iterations", noise_sigma, iterations);
  return fmt::format("{}, guidance {:g}, {}, {} steps, key {}", method, guidance, how, steps, key);
}

double noise_sigma_of(const Channel& channel, double given) {
  if (given > 0) return given;
  if (const double declared = declared_noise(channel.configuration()); declared > 0) return declared;
  throw ConfigError(
      fmt::format("channel {} declares no noise_sigma or sigma above 0; give the standard deviation of its white noise with "
                  "--noise-sigma.",
                  channel.id()));
}

PosteriorDraws::PosteriorDraws(const GeneratorRun& generator, const Channel& channel, PosteriorSettings settings, const std::string& input)
    : generator_(generator), channel_(channel), settings_(std::move(settings)) {
  check<ConfigError>(generator.config.train.interpolant.kind == "linear" && generator.config.train.interpolant.gamma == "none",
                     "{}: was trained with interpolant.kind = \"{}\"; guided sampling needs a generator with \"linear\" and gamma = \"none\".",
                     generator.path.string(), generator.config.train.interpolant.kind);
  check<ConfigError>(channel.has_mean() && channel.has_vjp(),
                     "channel {} does not offer its mean and vjp, which guided sampling needs; restore needs neither.", channel.id());
  check_signal_shape(channel, generator.trained, generator.path.string(), input);
  settings_.steps = sampling_steps(settings_.steps, generator.levels(), 1);
}

at::Tensor PosteriorDraws::draw(const DatasetReader& observations, std::uint64_t first, std::uint64_t count, double guidance) const {
  check_row_size(observations, channel_);
  channel_.take_failed_samples();  // those of earlier calls
  const at::Tensor x_BD = draw_unchecked(observations, first, count, guidance);
  if (const std::vector<FailedSample> failed = channel_.take_failed_samples(); !failed.empty()) {
    throw PluginError(fmt::format("channel {}: '{}' failed on row {} of {}: {}. Leave that row out.", channel_.id(), failed[0].function,
                                  first + static_cast<std::uint64_t>(failed[0].row), observations.path().string(), failed[0].reason));
  }
  return x_BD;
}

at::Tensor PosteriorDraws::draw_unchecked(const DatasetReader& observations, std::uint64_t first, std::uint64_t count,
                                          double guidance) const {
  const std::vector<std::uint64_t> rows = row_range(first, count);
  const baselines::Measured measured(channel_, latents_of_rows(observations, channel_, rows), read_rows(observations, rows));
  const baselines::ConditionalMean generated = baselines::conditional_mean(generator_.trained.model, *generator_.trained.network);
  // Hundreds of steps make a block of rows: a stop must not wait for its end.
  const baselines::ConditionalMean mean = [&generated](double t, const at::Tensor& x_ND) {
    if (const int signal = stop_requested(); signal != 0) throw InterruptedError(fmt::format("stopped by signal {}; nothing was written.", signal), signal);
    return generated(t, x_ND);
  };
  const RandomKey key = RandomKey(settings_.key).derive(Purpose::kBaseline);
  const at::Tensor ids_B = at::arange(static_cast<std::int64_t>(first), static_cast<std::int64_t>(first + count), at::kLong);
  if (settings_.method == "dps") {
    return sample_dps(mean, measured, {.form = settings_.form, .guidance = guidance, .steps = settings_.steps}, key, ids_B);
  }
  baselines::MmpsOptions options;
  options.noise_sigma = settings_.noise_sigma;
  options.guidance = guidance;
  options.steps = settings_.steps;
  options.iterations = settings_.iterations;
  return sample_mmps(mean, measured, options, normal_rows(key, ids_B, measured.signal_size()));
}

void PosteriorDraws::write(const DatasetReader& observations, const std::filesystem::path& output, const std::string& origin) const {
  write_signals(observations, channel_, output, origin, static_cast<std::uint64_t>(generator_.config.train.transport.batch),
                [&](std::uint64_t first, std::uint64_t count) { return draw(observations, first, count); });
}

void write_signals(const DatasetReader& observations, const Channel& channel, const std::filesystem::path& output,
                   const std::string& origin, std::uint64_t block,
                   const std::function<at::Tensor(std::uint64_t first, std::uint64_t count)>& make) {
  const std::vector<std::int64_t> shape = channel.signal_shape();
  DatasetWriter writer(output, DatasetKind::signals, {shape.begin(), shape.end()});
  copy_metadata(observations, 0, observations.rows(), writer);  // before the work: a column that cannot be read costs nothing then
  writer.set_attribute("origin", origin);
  Progress bar("draw", static_cast<std::int64_t>(observations.rows()));
  for (std::uint64_t first = 0; first < observations.rows(); first += block) {
    if (const int signal = stop_requested(); signal != 0) {
      throw InterruptedError(
          fmt::format("stopped by signal {} after {} of {} rows; {} was not written.", signal, first, observations.rows(), output.string()),
          signal);
    }
    const std::uint64_t count = std::min(block, observations.rows() - first);
    const at::Tensor x_BD = make(first, count).contiguous();
    check<NumericalError>(x_BD.isfinite().all().item<bool>(),
                          "{}: signals of rows {} to {} are not finite; it was not written. Lower the guidance, or train the generator "
                          "further.",
                          output.string(), first, first + count - 1);
    writer.append({x_BD.const_data_ptr<float>(), static_cast<std::size_t>(x_BD.numel())});
    bar.update(static_cast<std::int64_t>(first + count));
  }
  bar.finish();
  writer.close();
}

}  // namespace unchannel
