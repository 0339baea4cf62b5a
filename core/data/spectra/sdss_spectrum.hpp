#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace unchannel {

/// One spectrum as SDSS ships it (`spec-PLATE-MJD-FIBER.fits`), values unchanged.
// P pixels
struct SdssSpectrum {
  std::string name;  ///< "PLATE-MJD-FIBER", e.g. "3655-55240-0002"
  std::int64_t plate = 0, mjd = 0, fiber = 0;
  std::string object_class;                     ///< "QSO", "GALAXY" or "STAR", from the pipeline
  double redshift = 0;                          ///< pipeline redshift Z
  std::int64_t redshift_warning = 0;            ///< ZWARNING, 0 = no known problem
  std::vector<double> log10_wavelength;         ///< [P] log10 of the vacuum wavelength in Å, increasing (heliocentric frame)
  std::vector<double> flux;                     ///< [P] 1e-17 erg/s/cm²/Å
  std::vector<double> ivar;                     ///< [P] inverse variance of flux
  std::vector<std::int64_t> and_mask, or_mask;  ///< [P] SDSS SPPIXMASK bits set in all / in any exposure

  /// A pixel is good when ivar > 0 and and_mask = 0.
  bool good(std::size_t pixel) const { return ivar[pixel] > 0 && and_mask[pixel] == 0; }
};

/// Reads HDU 1 (COADD: flux, loglam, ivar, and_mask, or_mask) and HDU 2 (CLASS, Z, ZWARNING, PLATE, MJD, FIBERID). Throws DataError:
/// no FITS file, truncated, missing columns, wavelengths not increasing, in air, flux or ivar not finite on a good pixel, ivar
/// negative. Non-finite values on pixels that are bad anyway are read as 0.
SdssSpectrum read_sdss_spectrum(const std::filesystem::path& path);

}  // namespace unchannel
