#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "quasar_prior.hpp"

namespace unchannel {

/// What to draw from the quasar prior. Defaults are the headline set.
struct QuasarDrawOptions {
  std::uint64_t key = 1;
  std::uint64_t first_index = 0;  ///< global index of the first object; object i is the same whatever else is drawn
  std::uint64_t count = 0;
  bool rest_frame = false;  ///< the wavelengths are those of the object's rest frame
  double redshift_min = 2.75, redshift_max = 3.25;
  double wavelength_min_angstrom = 4000, wavelength_max_angstrom = 5320;
  std::uint64_t pixels = 1024;
  bool forest = false;          ///< see LymanForest
  double broad_absorption = 0;  ///< share of objects with troughs, see BroadAbsorption
};

/// Consecutive objects of a draw.
// B objects, D pixels
struct QuasarDraw {
  std::vector<float> signals_BD;           ///< [B, D] flux density over its rest 1425–1475 Å median
  std::vector<double> redshift_B;          ///< [B]
  std::vector<double> broad_absorption_B;  ///< [B] 1 where the object has troughs, else 0
  std::vector<std::int64_t> object_id_B;   ///< [B] global indices
};

/// Throws ConfigError when an option is out of range or a pixel leaves the prior's wavelengths at an end of the redshift range.
void check_quasar_draw(const QuasarPrior& prior, const QuasarDrawOptions& options);

/// Wavelengths [D] of the draw, Å, log-spaced with both ends included.
std::vector<double> quasar_draw_grid(const QuasarDrawOptions& options);

/// Objects first_index + [offset, offset + count) of the draw: x = μ(λ/(1+z)) + M(λ/(1+z)) w, w ~ N(0, I_R), z ~ U(min, max), all pure
/// functions of (key, object index), in float64, rounded to float32 at the end. In the rest frame z only enters the forest.
QuasarDraw draw_quasar_prior(const QuasarPrior& prior, const QuasarDrawOptions& options, std::uint64_t offset, std::uint64_t count);

/// "semi-synthetic: eBOSS DR16Q prior …": what a file of such draws says of its origin.
std::string quasar_draw_origin(const QuasarDrawOptions& options);

/// Writes options.count objects to a data file (/signals, /redshift, /object_id, wavelengths, origin, provenance), in blocks.
/// `progress(done)` is called after each block. Throws ConfigError, DataError.
void write_quasar_draw(const QuasarPrior& prior, const QuasarDrawOptions& options, const std::filesystem::path& output,
                       const std::function<void(std::uint64_t)>& progress = {});

}  // namespace unchannel
