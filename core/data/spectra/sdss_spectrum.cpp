#include "sdss_spectrum.hpp"

#include <cmath>

#include <unchannel/base/error.hpp>

#include "../fits/fits_file.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kMaxPixels = 1'000'000;
constexpr int kCoadd = 2, kCatalogue = 3;  // CFITSIO counts HDUs from 1

void check_pixels(SdssSpectrum& spectrum, const std::string& place) {
  for (std::size_t k = 0; k < spectrum.flux.size(); ++k) {
    const double wavelength = spectrum.log10_wavelength[k];
    check<DataError>(std::isfinite(wavelength) && wavelength > (k == 0 ? 2.0 : spectrum.log10_wavelength[k - 1]) && wavelength < 6.0,
                     "{}: loglam is {} in pixel {}; it must increase and be log10 of angstrom.", place, wavelength, k);
    const bool masked = spectrum.and_mask[k] != 0;
    if (!std::isfinite(spectrum.ivar[k])) {
      check<DataError>(masked, "{}: ivar is {} in pixel {}, which no mask marks as bad.", place, spectrum.ivar[k], k);
      spectrum.ivar[k] = 0;
    }
    check<DataError>(spectrum.ivar[k] >= 0, "{}: ivar is {} in pixel {}; it must not be negative.", place, spectrum.ivar[k], k);
    if (!std::isfinite(spectrum.flux[k])) {
      check<DataError>(!spectrum.good(k), "{}: flux is {} in pixel {}, which neither ivar nor mask marks as bad.", place, spectrum.flux[k],
                       k);
      spectrum.flux[k] = 0;
    }
  }
}

}  // namespace

SdssSpectrum read_sdss_spectrum(const std::filesystem::path& path) {
  fits::File file = fits::File::open(path);
  const std::string& place = file.place();
  check<DataError>(!file.keyword("VACUUM").starts_with('F'), "{}: its wavelengths are in air (VACUUM = F); SDSS spectra are in vacuum.",
                   place);
  SdssSpectrum spectrum;
  const std::int64_t pixels = file.open_table(kCoadd, kMaxPixels);
  check<DataError>(pixels >= 2, "{}: has {} pixels; a spectrum has at least 2.", place, pixels);
  spectrum.flux = file.read_numbers("flux", pixels);
  spectrum.log10_wavelength = file.read_numbers("loglam", pixels);
  spectrum.ivar = file.read_numbers("ivar", pixels);
  spectrum.and_mask = file.read_integers("and_mask", pixels);
  spectrum.or_mask = file.read_integers("or_mask", pixels);
  check_pixels(spectrum, place);

  file.open_table(kCatalogue, 1);
  spectrum.object_class = file.read_text("CLASS");
  spectrum.redshift = file.read_numbers("Z", 1)[0];
  check<DataError>(std::isfinite(spectrum.redshift) && spectrum.redshift > -1, "{}: redshift Z is {}; it must be above -1.", place,
                   spectrum.redshift);
  if (file.has_column("ZWARNING")) spectrum.redshift_warning = file.read_integers("ZWARNING", 1)[0];
  spectrum.plate = file.read_integers("PLATE", 1)[0];
  spectrum.mjd = file.read_integers("MJD", 1)[0];
  spectrum.fiber = file.read_integers("FIBERID", 1)[0];
  spectrum.name = fmt::format("{}-{}-{:04}", spectrum.plate, spectrum.mjd, spectrum.fiber);
  return spectrum;
}

}  // namespace unchannel
