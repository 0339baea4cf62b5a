#include "sdss_import.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

#include "../dataset.hpp"
#include "log_lambda_grid.hpp"
#include "resample.hpp"

namespace unchannel {
namespace {

constexpr double kNormaliseFromAngstrom = 1425, kNormaliseToAngstrom = 1475;
constexpr double kSurveyStepLog10 = 1e-4;  // pixel size of every SDSS coadd

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

std::vector<double> wavelengths(const SdssSpectrum& spectrum, bool rest_frame) {
  std::vector<double> values(spectrum.log10_wavelength.size());
  const double divisor = rest_frame ? 1 + spectrum.redshift : 1;
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = std::pow(10.0, spectrum.log10_wavelength[k]) / divisor;
  return values;
}

struct Row {
  std::vector<float> flux, ivar, mask_latent;
  std::vector<std::uint8_t> mask;
};

// Normalised and resampled; fills coverage and snr of the entry.
Row make_row(const SdssSpectrum& spectrum, const std::vector<double>& edges, bool rest_frame, SdssImportEntry& entry) {
  SpectrumPixels pixels{{}, {}, spectrum.flux, spectrum.ivar, std::vector<std::uint8_t>(spectrum.flux.size())};
  for (std::size_t k = 0; k < pixels.good.size(); ++k) pixels.good[k] = spectrum.good(k);
  set_edges(wavelengths(spectrum, rest_frame), pixels);
  const ResampledSpectrum resampled = resample(pixels, edges);
  const double scale = entry.normalisation_factor;
  Row row;
  std::vector<double> snr;
  for (std::size_t k = 0; k < resampled.flux.size(); ++k) {
    row.flux.push_back(static_cast<float>(resampled.flux[k] / scale));
    row.ivar.push_back(static_cast<float>(resampled.ivar[k] * scale * scale));
    row.mask.push_back(resampled.mask[k]);
    row.mask_latent.push_back(static_cast<float>(resampled.mask[k]));
    if (resampled.mask[k] == 0) snr.push_back(std::abs(resampled.flux[k]) * std::sqrt(resampled.ivar[k]));
  }
  entry.coverage = static_cast<double>(snr.size()) / static_cast<double>(resampled.flux.size());
  if (!snr.empty()) entry.snr = median(std::move(snr));
  return row;
}

// Throws DataError with the reason to skip.
Row prepare(const SdssSpectrum& spectrum, const SdssImportOptions& options, const std::vector<double>& edges, SdssImportEntry& entry) {
  check<DataError>(options.object_class.empty() || spectrum.object_class == options.object_class, "class is {}, not {}",
                   spectrum.object_class, options.object_class);
  entry.normalisation_factor = continuum_median(spectrum);
  Row row = make_row(spectrum, edges, options.rest_frame, entry);
  check<DataError>(entry.coverage >= options.min_coverage, "good pixels cover {:.0f} % of the wavelength range, less than {:.0f} %",
                   100 * entry.coverage, 100 * options.min_coverage);
  return row;
}

void append(DatasetWriter& writer, const Row& row, const SdssSpectrum& spectrum, const SdssImportEntry& entry) {
  const auto number = [&](const char* name, double value) { writer.append_column(name, std::span<const double>(&value, 1)); };
  const auto text = [&](const char* name, const std::string& value) {
    writer.append_column(name, std::span<const std::string>(&value, 1));
  };
  writer.append(row.flux);
  writer.append_ivar(row.ivar);
  writer.append_mask(row.mask);
  writer.append_latent("mask", {row.flux.size()}, std::span<const float>(row.mask_latent));
  text("object_name", spectrum.name);
  text("class", spectrum.object_class);
  text("source_file", entry.file);
  number("redshift", spectrum.redshift);
  number("redshift_warning", static_cast<double>(spectrum.redshift_warning));
  number("snr", entry.snr);
  number("normalisation_factor", entry.normalisation_factor);
}

void describe(DatasetWriter& writer, const SdssImportOptions& options, const std::vector<double>& grid,
              const std::vector<SdssImportEntry>& entries) {
  writer.link_latent("ivar", "ivar");
  writer.set_wavelength({grid, "vacuum", options.rest_frame ? "rest" : "observed"});
  writer.set_attribute("origin", "sdss: spectra as observed (spec-PLATE-MJD-FIBER.fits, COADD)");
  writer.set_attribute("normalisation",
                       "flux density over its median at rest 1425-1475 angstrom of the full spectrum, redshift from the survey pipeline; "
                       "normalisation_factor holds the medians in 1e-17 erg/s/cm^2/angstrom");
  nlohmann::json skipped = nlohmann::json::array();
  for (const SdssImportEntry& entry : entries) {
    if (!entry.imported) skipped.push_back({{"file", entry.file}, {"reason", entry.reason}});
  }
  const nlohmann::json provenance = {{"made_by", "unchannel import sdss"},
                                     {"frame", options.rest_frame ? "rest" : "observed"},
                                     {"wavelength_min_angstrom", options.wavelength_min_angstrom},
                                     {"wavelength_max_angstrom", options.wavelength_max_angstrom},
                                     {"pixels", options.pixels},
                                     {"class", options.object_class},
                                     {"min_coverage", options.min_coverage},
                                     {"resampling", "flux density conserved, weights: running median of ivar over 51 good pixels"},
                                     {"good_pixels", "ivar > 0 and and_mask = 0"},
                                     {"skipped", skipped}};
  writer.set_attribute("provenance", json_text(provenance));
}

}  // namespace

std::vector<std::filesystem::path> find_sdss_files(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : paths) {
    std::error_code error;
    check<DataError>(std::filesystem::exists(path, error), "{}: no such file or folder. Check the path.", path.string());
    if (!std::filesystem::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::filesystem::path> found;
    for (const auto& item : std::filesystem::directory_iterator(path, error)) {
      const std::string name = item.path().filename().string();
      if (name.starts_with("spec-") && name.ends_with(".fits")) found.push_back(item.path());
    }
    check<DataError>(!error, "{}: cannot be listed: {}.", path.string(), error.message());
    check<DataError>(!found.empty(), "{}: holds no spec-*.fits file.", path.string());
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

double continuum_median(const SdssSpectrum& spectrum) {
  const double from = std::log10(kNormaliseFromAngstrom * (1 + spectrum.redshift));
  const double to = std::log10(kNormaliseToAngstrom * (1 + spectrum.redshift));
  std::vector<double> flux;
  for (std::size_t k = 0; k < spectrum.flux.size(); ++k) {
    if (spectrum.log10_wavelength[k] >= from && spectrum.log10_wavelength[k] <= to && spectrum.good(k)) flux.push_back(spectrum.flux[k]);
  }
  const double expected = (to - from) / kSurveyStepLog10;
  check<DataError>(static_cast<double>(flux.size()) >= 0.5 * expected,
                   "rest 1425-1475 angstrom, which sets the normalisation, has {} good pixels of about {:.0f} (redshift {:.4f})",
                   flux.size(), expected, spectrum.redshift);
  const double value = median(std::move(flux));
  check<DataError>(value > 0, "the median flux at rest 1425-1475 angstrom, which sets the normalisation, is {:.4g}, not positive", value);
  return value;
}

std::vector<SdssImportEntry> import_sdss(const std::vector<std::filesystem::path>& files, const SdssImportOptions& options,
                                         const std::filesystem::path& output, const std::function<void(std::size_t)>& progress) {
  check<ConfigError>(options.min_coverage >= 0 && options.min_coverage <= 1, "min-coverage {}: it must be between 0 and 1.",
                     options.min_coverage);
  const std::vector<double> grid = log_lambda_grid(options.wavelength_min_angstrom, options.wavelength_max_angstrom, options.pixels);
  const std::vector<double> edges = log_lambda_edges(grid);
  DatasetWriter writer(output, DatasetKind::observations, {options.pixels});  // before the work, so that a wrong path costs nothing
  std::vector<SdssImportEntry> entries;
  std::set<std::string> names;
  for (const auto& file : files) {
    SdssImportEntry& entry = entries.emplace_back();
    entry.file = file.filename().string();
    std::optional<SdssSpectrum> spectrum;
    std::optional<Row> row;
    try {
      spectrum = read_sdss_spectrum(file);
      entry.name = spectrum->name;
      entry.object_class = spectrum->object_class;
      entry.redshift = spectrum->redshift;
      row = prepare(*spectrum, options, edges, entry);
      check<DataError>(names.insert(entry.name).second, "object {} was imported from another file already", entry.name);
    } catch (const DataError& error) {
      entry.reason = error.what();
    }
    if (entry.reason.empty()) {
      append(writer, *row, *spectrum, entry);
      entry.imported = true;
    }
    if (progress) progress(entries.size());
  }
  if (writer.rows() > 0) {
    describe(writer, options, grid, entries);
    writer.close();
  }
  return entries;
}

}  // namespace unchannel
