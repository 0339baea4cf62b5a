#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "sdss_spectrum.hpp"

namespace unchannel {

/// How survey spectra become rows.
struct SdssImportOptions {
  bool rest_frame = true;  ///< wavelengths divided by 1 + Z; else as observed
  double wavelength_min_angstrom = 1100, wavelength_max_angstrom = 1415;
  std::size_t pixels = 1024;
  std::string object_class = "QSO";  ///< pipeline CLASS to keep; empty: all
  double min_coverage = 0.8;         ///< smallest share of good output pixels
};

/// What became of one file.
struct SdssImportEntry {
  std::string file;  ///< file name without folder
  bool imported = false;
  std::string reason;  ///< why it was skipped; empty when imported
  std::string name;    ///< PLATE-MJD-FIBER, empty when the file could not be read
  std::string object_class;
  double redshift = 0;
  double coverage = 0;              ///< share of good output pixels
  double snr = 0;                   ///< median of |flux| √ivar over good output pixels
  double normalisation_factor = 0;  ///< median flux at rest 1425–1475 Å, 1e-17 erg/s/cm²/Å
};

/// `spec-*.fits` of each folder, by name, and files as given. Throws DataError when a path does not exist or a folder has none.
std::vector<std::filesystem::path> find_sdss_files(const std::vector<std::filesystem::path>& paths);

/// Median flux of the good pixels at rest 1425–1475 Å of the full spectrum. Throws DataError saying why it cannot be measured: fewer than
/// half of the window's pixels are there and good, or the median is not positive.
double continuum_median(const SdssSpectrum& spectrum);

/// Reads, selects, normalises and resamples the files and writes /observations with ivar, mask, redshift, object_name, and the
/// columns class, snr, normalisation_factor, redshift_warning, source_file; latents `ivar` (a link) and `mask` (float32). Every file
/// has an entry in the result, in the order given; broken ones are skipped with the reason. Nothing is written when no file could be
/// imported. Throws DataError (output not writable) or ConfigError (options). `progress(done)` is called after each file.
std::vector<SdssImportEntry> import_sdss(const std::vector<std::filesystem::path>& files, const SdssImportOptions& options,
                                         const std::filesystem::path& output, const std::function<void(std::size_t)>& progress = {});

}  // namespace unchannel
