#pragma once

#include <fitsio.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace unchannel::test_support {

/// A spectrum in the layout of SDSS `spec-*.fits`, for tests that must run without survey data: a quasar-like continuum with three
/// lines at redshift 2.5, noise-free, with an inverse variance that varies by a factor of ten, sky-line dips, and bad pixels.
struct SyntheticSdss {
  std::vector<float> flux, loglam, ivar;
  std::vector<std::int32_t> and_mask, or_mask;
  float redshift = 2.5f;
  std::string object_class = "QSO";
  std::int32_t fiber = 7;

  explicit SyntheticSdss(std::size_t pixels = 4600, double first_log10 = 3.5516) {
    for (std::size_t k = 0; k < pixels; ++k) {
      const double log10_wavelength = first_log10 + 1e-4 * static_cast<double>(k);
      const double rest = std::pow(10.0, log10_wavelength) / 3.5;
      double value = 2 * std::pow(rest / 1450, -1.5);
      for (const double line : {1215.67, 1396.8, 1549.1}) value += 4 * std::exp(-0.5 * std::pow((rest - line) / 6, 2));
      loglam.push_back(static_cast<float>(log10_wavelength));
      flux.push_back(static_cast<float>(value));
      ivar.push_back(static_cast<float>((2 + std::cos(0.002 * static_cast<double>(k))) * (k % 97 < 3 ? 0.1 : 1.0)));
      and_mask.push_back(k % 501 == 100 ? 1 << 24 : 0);
      or_mask.push_back(k % 211 == 5 ? 1 << 25 : 0);
    }
    for (std::size_t k = 800; k < 820; ++k) ivar[k] = 0;
  }

  /// Column names in the case given: surveys use both. Returns CFITSIO's status.
  int write(const std::filesystem::path& path, bool upper_case = false) const {
    fitsfile* file = nullptr;
    int status = 0;
    std::filesystem::remove(path);
    ::fits_create_diskfile(&file, path.c_str(), &status);
    ::fits_create_img(file, BYTE_IMG, 0, nullptr, &status);
    const char* lower_names[] = {"flux", "loglam", "ivar", "and_mask", "or_mask"};
    const char* upper_names[] = {"FLUX", "LOGLAM", "IVAR", "AND_MASK", "OR_MASK"};
    const char* formats[] = {"E", "E", "E", "J", "J"};
    const auto rows = static_cast<LONGLONG>(flux.size());
    ::fits_create_tbl(file, BINARY_TBL, rows, 5, const_cast<char**>(upper_case ? upper_names : lower_names), const_cast<char**>(formats),
                      nullptr, "COADD", &status);
    put(file, TFLOAT, 1, flux, status);
    put(file, TFLOAT, 2, loglam, status);
    put(file, TFLOAT, 3, ivar, status);
    put(file, TINT, 4, and_mask, status);
    put(file, TINT, 5, or_mask, status);
    const char* names[] = {"CLASS", "Z", "PLATE", "MJD", "FIBERID", "ZWARNING"};
    const char* kinds[] = {"6A", "E", "J", "J", "J", "J"};
    ::fits_create_tbl(file, BINARY_TBL, 1, 6, const_cast<char**>(names), const_cast<char**>(kinds), nullptr, "SPECOBJ", &status);
    char* text = const_cast<char*>(object_class.c_str());
    ::fits_write_col(file, TSTRING, 1, 1, 1, 1, &text, &status);
    put(file, TFLOAT, 2, std::vector<float>{redshift}, status);
    put(file, TINT, 3, std::vector<std::int32_t>{1234}, status);
    put(file, TINT, 4, std::vector<std::int32_t>{56789}, status);
    put(file, TINT, 5, std::vector<std::int32_t>{fiber}, status);
    put(file, TINT, 6, std::vector<std::int32_t>{0}, status);
    ::fits_close_file(file, &status);
    return status;
  }

 private:
  template <class T>
  static void put(fitsfile* file, int type, int column, std::vector<T> values, int& status) {
    ::fits_write_col(file, type, column, 1, 1, static_cast<LONGLONG>(values.size()), values.data(), &status);
  }
};

}  // namespace unchannel::test_support
