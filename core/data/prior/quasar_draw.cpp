#include "quasar_draw.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/random.hpp>

#include "../dataset.hpp"
#include "../spectra/log_lambda_grid.hpp"
#include "absorption.hpp"

namespace unchannel {
namespace {

// Tags below Purpose::kSignalPrior. They are part of the meaning of a key: never renumber.
constexpr std::uint64_t kWeights = 1, kRedshift = 2, kForest = 3, kTroughs = 4;
constexpr std::uint64_t kBlockRows = 256;

}  // namespace

void check_quasar_draw(const QuasarPrior& prior, const QuasarDrawOptions& options) {
  check<ConfigError>(std::isfinite(options.redshift_max) && options.redshift_min > -1 && options.redshift_min <= options.redshift_max,
                     "redshift range {} … {}: the limits must be above -1 and in order.", options.redshift_min, options.redshift_max);
  check<ConfigError>(options.broad_absorption >= 0 && options.broad_absorption <= 1,
                     "broad-absorption fraction {}: it must be between 0 and 1.", options.broad_absorption);
  check<ConfigError>(options.count < (std::uint64_t{1} << 40) && options.first_index < (std::uint64_t{1} << 62),
                     "{} objects from index {}: at most 2^40 from below 2^62.", options.count, options.first_index);
  const auto grid = quasar_draw_grid(options);
  // The ends of the redshift range bound every object between them.
  for (const double redshift : {options.redshift_min, options.redshift_max}) prior.mean_at(options.rest_frame ? 0 : redshift, grid);
}

std::vector<double> quasar_draw_grid(const QuasarDrawOptions& options) {
  return log_lambda_grid(options.wavelength_min_angstrom, options.wavelength_max_angstrom, options.pixels);
}

QuasarDraw draw_quasar_prior(const QuasarPrior& prior, const QuasarDrawOptions& options, std::uint64_t offset, std::uint64_t count) {
  const std::vector<double> grid_D = quasar_draw_grid(options);
  const RandomKey key = RandomKey(options.key).derive(Purpose::kSignalPrior);
  const RandomKey weight_key = key.derive(kWeights), redshift_key = key.derive(kRedshift), forest_key = key.derive(kForest),
                  trough_key = key.derive(kTroughs);
  static const LymanForest forest;
  const std::size_t rank = prior.rank();
  std::vector<float> weights_R(rank);
  std::vector<double> template_P(prior.mean().size()), observed_D(grid_D.size());
  QuasarDraw draw;
  draw.signals_BD.reserve(count * grid_D.size());
  for (std::uint64_t id = options.first_index + offset; id < options.first_index + offset + count; ++id) {
    float uniform = 0;
    redshift_key.uniform(id, 0, 1, &uniform);
    const double redshift = options.redshift_min + (options.redshift_max - options.redshift_min) * static_cast<double>(uniform);
    weight_key.normal(id, 0, static_cast<std::uint32_t>(rank), weights_R.data());
    // Interpolation is linear, so the sum over factors may be made first, on the tabulated wavelengths.
    for (std::size_t p = 0; p < template_P.size(); ++p) {
      double value = prior.mean()[p];
      for (std::size_t r = 0; r < rank; ++r) value += prior.factors()[p * rank + r] * static_cast<double>(weights_R[r]);
      template_P[p] = value;
    }
    const double to_rest = options.rest_frame ? 1 : 1 / (1 + redshift);
    std::vector<double> flux_D = prior.interpolate(template_P, options.rest_frame ? 0 : redshift, grid_D);
    if (options.forest) {
      for (std::size_t k = 0; k < grid_D.size(); ++k) observed_D[k] = grid_D[k] * to_rest * (1 + redshift);
      forest.absorb(forest_key, id, redshift, observed_D, flux_D);
    }
    const BroadAbsorption troughs(trough_key, id, options.broad_absorption);
    for (std::size_t k = 0; k < grid_D.size(); ++k) {
      draw.signals_BD.push_back(static_cast<float>(flux_D[k] * troughs.transmission(grid_D[k] * to_rest)));
    }
    draw.redshift_B.push_back(redshift);
    draw.broad_absorption_B.push_back(troughs.present() ? 1 : 0);
    draw.object_id_B.push_back(static_cast<std::int64_t>(id));
  }
  return draw;
}

std::string quasar_draw_origin(const QuasarDrawOptions& options) {
  std::string origin = "semi-synthetic: eBOSS DR16Q prior (mean and low-rank factors fitted to real DR16Q quasars; gp-dla-finder 0.1.0)";
  if (options.forest) origin += ", log-normal Lyman-alpha forest";
  if (options.broad_absorption > 0)
    origin += fmt::format(", broad-absorption troughs in {:g} % of objects", 100 * options.broad_absorption);
  return origin;
}

void write_quasar_draw(const QuasarPrior& prior, const QuasarDrawOptions& options, const std::filesystem::path& output,
                       const std::function<void(std::uint64_t)>& progress) {
  check<ConfigError>(options.count > 0, "0 objects: ask for at least one.");
  check_quasar_draw(prior, options);
  DatasetWriter writer(output, DatasetKind::signals, {options.pixels});
  for (std::uint64_t done = 0; done < options.count;) {
    const std::uint64_t rows = std::min(kBlockRows, options.count - done);
    const QuasarDraw block = draw_quasar_prior(prior, options, done, rows);
    writer.append(block.signals_BD);
    writer.append_redshift(block.redshift_B);
    writer.append_object_ids(block.object_id_B);
    if (options.broad_absorption > 0) writer.append_column("broad_absorption", block.broad_absorption_B);
    done += rows;
    if (progress) progress(done);
  }
  writer.set_wavelength({quasar_draw_grid(options), "vacuum", options.rest_frame ? "rest" : "observed"});
  writer.set_attribute("origin", quasar_draw_origin(options));
  writer.set_attribute("normalisation",
                       "flux density over the median of the object's unabsorbed flux density at rest 1425-1475 angstrom (the prior's)");
  const nlohmann::json provenance = {{"made_by", "unchannel import quasar-prior"},
                                     {"prior_file", prior.source()},
                                     {"prior_sha256", prior.sha256()},
                                     {"key", options.key},
                                     {"first_index", options.first_index},
                                     {"count", options.count},
                                     {"frame", options.rest_frame ? "rest" : "observed"},
                                     {"redshift_min", options.redshift_min},
                                     {"redshift_max", options.redshift_max},
                                     {"wavelength_min_angstrom", options.wavelength_min_angstrom},
                                     {"wavelength_max_angstrom", options.wavelength_max_angstrom},
                                     {"pixels", options.pixels},
                                     {"forest", options.forest},
                                     {"broad_absorption", options.broad_absorption}};
  writer.set_attribute("provenance", json_text(provenance));
  writer.close();
}

}  // namespace unchannel
