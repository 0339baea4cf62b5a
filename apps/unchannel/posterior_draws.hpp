#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include <unchannel/data/dataset.hpp>
#include <unchannel/measurement/channel.hpp>

#include "generator_run.hpp"

// Shape legend: B rows · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel {

/// How signals are drawn given observations, under a generator.
struct PosteriorSettings {
  std::string method = "mmps";  ///< or "dps"
  std::string form = "norm";    ///< of dps
  double guidance = 1.0;
  double noise_sigma = 0.0;     ///< of mmps
  std::int64_t steps = 0;       ///< 0: the largest divisor of the generator's time levels up to 256
  std::int64_t iterations = 8;  ///< of mmps
  std::uint64_t key = 1;

  /// "mmps, guidance 1, noise 0.1, 256 steps, key 1", for origin attributes.
  std::string name() const;
};

/// The noise level that a channel declares among its parameters as noise_sigma or sigma; `given`, where it is above 0, comes first. Throws
/// ConfigError, asking for --noise-sigma, where there is neither.
double noise_sigma_of(const Channel& channel, double given);

/// Draws signals given observations: one of the methods, a generator and a channel, which must outlive it.
class PosteriorDraws {
 public:
  /// Settles settings.steps. Throws ConfigError (generator, steps, capabilities), ShapeError.
  PosteriorDraws(const GeneratorRun& generator, const Channel& channel, PosteriorSettings settings, const std::string& input);

  /// One draw for each of rows [first, first + count): [B, D]. Row i is a function of the key and i. Throws DataError when the file lacks a
  /// latent of the channel, PluginError when the channel fails on a row.
  at::Tensor draw(const DatasetReader& observations, std::uint64_t first, std::uint64_t count) const {
    return draw(observations, first, count, settings_.guidance);
  }
  at::Tensor draw(const DatasetReader& observations, std::uint64_t first, std::uint64_t count, double guidance) const;

  /// Draws for every row into a new file of signals with the metadata of the observations. Throws InterruptedError on a stop signal and
  /// NumericalError for draws that are not finite; there is no file then.
  void write(const DatasetReader& observations, const std::filesystem::path& output, const std::string& origin) const;

  void set_guidance(double guidance) { settings_.guidance = guidance; }
  std::int64_t signal_size() const { return generator_.trained.model.normalisation().mean_D.size(0); }
  const PosteriorSettings& settings() const { return settings_; }

 private:
  at::Tensor draw_unchecked(const DatasetReader& observations, std::uint64_t first, std::uint64_t count, double guidance) const;
  const GeneratorRun& generator_;
  const Channel& channel_;
  PosteriorSettings settings_;
};

/// Writes one signal for each row of `observations`, block by block, with their metadata: what `make(first, count)` returns, [B, D].
void write_signals(const DatasetReader& observations, const Channel& channel, const std::filesystem::path& output,
                   const std::string& origin, std::uint64_t block,
                   const std::function<at::Tensor(std::uint64_t first, std::uint64_t count)>& make);

}  // namespace unchannel
