// A Gaussian line-spread function whose width changes along the spectrum: y_i = sum over j of K(sigma_i)_ij x_j, so every pixel of the
// output has the width of its own wavelength. Rows sum to one: constants are kept everywhere. K is not symmetric where the width changes.
#pragma once

#include "line_spread.hpp"
#include "table.hpp"
#include "wavelength_grid.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace spectrograph {

class VaryingResolution {
 public:
  VaryingResolution() = default;
  /// Rows of first and last wavelength (angstrom) and FWHM in ln(wavelength): one arm each, in ascending order, without overlap; pixel d
  /// belongs to the arm that holds its centre, the first wavelength included, the last one not, but for the last arm's. Throws BAD_ARGUMENT
  /// for other orders, a pixel in no arm, an arm without pixels, a FWHM outside [0, 1].
  static VaryingResolution of_arms(const std::vector<TableRow>& rows, const WavelengthGrid& grid);
  /// Rows of wavelength (angstrom, ascending) and FWHM in ln(wavelength), in (0, 1]; linear in ln(wavelength) in between; the rows must
  /// reach over the whole grid. Throws BAD_ARGUMENT otherwise.
  static VaryingResolution of_table(const std::vector<TableRow>& rows, const WavelengthGrid& grid);

  /// Numbers that a spectrum's widths are multiplied by: one for each arm, one for a whole table.
  [[nodiscard]] int64_t factor_count() const { return factor_count_; }
  /// The largest FWHM in ln(wavelength) with these factors; NaN for a factor that is not above 0.
  [[nodiscard]] double widest(std::span<const float> factors) const;

  /// y = K x and g = K^T c; [D], not overlapping. The error of K is that of LineSpread, with a table 1e-6 of max |x| more.
  void apply(LineSpread& spread, std::span<const float> factors, std::span<const float> x, std::span<float> y) const;
  void apply_adjoint(LineSpread& spread, std::span<const float> factors, std::span<const float> c, std::span<float> g) const;

 private:
  /// Rows first … first + count - 1 of K(sigma_pixels times its factor), each times its weight (none: 1). The sum of all sections is K.
  struct Section {
    double sigma_pixels;
    int64_t first, count;
    size_t factor;
    std::vector<float> weights;
  };
  void add_section_of_node(double sigma_pixels, const std::vector<float>& weights);

  std::vector<Section> sections_;
  std::vector<double> fwhm_;  ///< the largest for each factor
  int64_t factor_count_ = 0;
};

}  // namespace spectrograph
