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
                     "unchannel train GENERATOR.toml --set data.signals='\"restored.h5\"' --run {} (docs/tutorials/generator.md).",
                     run.string(), inside.string());
  RunConfig config = read_run_config(found);
  TrainedModel trained = open_trained_model(found, config.train.model, config.train.interpolant);
  return {found, std::move(config), std::move(trained)};
}

void check_generator_config(const RunConfig& config, const std::string& file) {
  check<ConfigError>(config.channel.id == kNoise, "{}: channel.id is '{}'; a generator's is \"noise\".", file, config.channel.id);
  check<ConfigError>(config.train.start.kind == "truth" && config.train.scsi.refresh_every == 0,
                     "{}: a generator learns the signals of data.signals and refreshes none; set start.kind = \"truth\" and "
                     "scsi.refresh_every = 0.",
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

}  // namespace unchannel
