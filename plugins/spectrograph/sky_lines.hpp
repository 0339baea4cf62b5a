// Pixels on bright emission lines of the night sky.
#pragma once

#include "table.hpp"
#include "wavelength_grid.hpp"

#include <cstdint>
#include <vector>

namespace spectrograph {

/// centre -/+ width / 2, angstrom.
struct SkyLine {
  double centre_angstrom, width_angstrom;
};

/// The built-in list, all of one width: Hg I 4046.56, 4358.33, 5460.74 (street lamps), [O I] 5577.34, 6300.30, 6363.78 and Na I 5889.95,
/// 5895.92, in air or vacuum. Source: NIST Atomic Spectra Database (air: Ritz wavelengths in standard air).
std::vector<SkyLine> strong_sky_lines(bool vacuum, double width_angstrom);

/// Rows of centre and full width. Throws BAD_ARGUMENT for a width or centre that is not positive.
std::vector<SkyLine> listed_sky_lines(const std::vector<TableRow>& rows);

/// [pixels] 1 where a pixel's own range of wavelengths overlaps a line's window, otherwise 0. Lines outside the grid do not matter, but one
/// pixel at least must be hit and one missed: throws BAD_ARGUMENT otherwise.
std::vector<int32_t> pixels_on_lines(const std::vector<SkyLine>& lines, const WavelengthGrid& grid);

}  // namespace spectrograph
