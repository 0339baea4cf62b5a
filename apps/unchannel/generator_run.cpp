#include "generator_run.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <fmt/core.h>

#include <algorithm>
#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/run/run_folder.hpp>

// Shape legend: B rows of a block · D signal dimensions flattened
namespace unchannel {
namespace {

constexpr const char* kNoise = "noise";
constexpr std::int64_t kDefaultSteps = 256;

bool holds_generator(const std::filesystem::path& run) {
  return std::filesystem::exists(RunFolder::config_path(run)) && read_run_config(run).channel.id == kNoise;
}

}  // namespace

std::string GeneratorRun::name() const { return fmt::format("run {} at step {}", path.string(), trained.step); }

GeneratorRun open_generator(const std::filesystem::path& run) {
  const std::filesystem::path inside = run / "generator";
  const std::filesystem::path found = holds_generator(run) ? run : holds_generator(inside) ? inside : std::filesystem::path();
  check<ConfigError>(!found.empty(),
                     "{}: holds no generator, a run of the channel 'noise', nor does its folder generator/. Train one on restored signals: "
                     "unchannel simulate GENERATOR.toml --input restored.h5 --key 1 --output noise.h5, then "
                     "unchannel train GENERATOR.toml --run {} (docs/tutorials/generator.md).",
                     run.string(), inside.string());
  RunConfig config = read_run_config(found);
  TrainedModel trained = open_trained_model(found, config.train.model, config.train.interpolant);
  return {found, std::move(config), std::move(trained)};
}

void check_generator_config(const RunConfig& config, const std::string& file) {
  check<ConfigError>(config.channel.id == kNoise, "{}: channel.id is '{}'; a generator's is \"noise\".", file, config.channel.id);
  check<ConfigError>(config.train.start.kind == "file" && config.train.scsi.refresh_every == 0,
                     "{}: a generator learns given signals and refreshes none; set start.kind = \"file\" and scsi.refresh_every = 0.",
                     file);
}

std::int64_t sampling_steps(std::int64_t requested, std::int64_t levels, std::int64_t times_a_step) {
  std::int64_t largest = std::min(requested > 0 ? requested : kDefaultSteps, levels);
  while (largest > 1 && levels % (largest * times_a_step) != 0) --largest;
  check<ConfigError>(levels % (largest * times_a_step) == 0 && (requested == 0 || largest == requested),
                     "--steps {}: the generator knows interpolant.time_levels = {} times, which that number does not divide{}. Use {}.",
                     requested, levels, times_a_step > 1 ? " (midpoint needs two a step)" : "", largest);
  return largest;
}

void write_noise_observations(const std::filesystem::path& signals, const std::filesystem::path& output, std::uint64_t key) {
  const DatasetReader reader(signals, DatasetKind::signals);
  ChannelSettings settings;
  settings.id = kNoise;
  const std::unique_ptr<Channel> channel = open_channel(settings, {}, reader);
  DatasetWriter writer(output, DatasetKind::observations, reader.row_shape());
  constexpr std::uint64_t kBlockBytes = std::uint64_t{16} << 20;
  const std::uint64_t block = std::max<std::uint64_t>(1, kBlockBytes / (sizeof(float) * reader.dim()));
  for (std::uint64_t first = 0; first < reader.rows(); first += block) {
    const auto B = static_cast<std::int64_t>(std::min(block, reader.rows() - first));
    const auto id = static_cast<std::int64_t>(first);
    const at::Tensor x_BD = at::zeros({B, static_cast<std::int64_t>(reader.dim())}, at::kFloat);  // noise does not look at them
    const at::Tensor z_BD = channel->simulate(x_BD, {}, RandomKey(key), at::arange(id, id + B, at::kLong));
    writer.append({z_BD.const_data_ptr<float>(), static_cast<std::size_t>(z_BD.numel())});
  }
  writer.set_attribute("origin", fmt::format("noise, key {}", key));
  writer.close();
}

}  // namespace unchannel
