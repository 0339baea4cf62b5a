#include "sky_lines.hpp"

#include <unchannel/sdk/error.hpp>

#include <algorithm>
#include <array>

namespace spectrograph {
namespace {

namespace sdk = unchannel::sdk;

struct Wavelengths {
  double air, vacuum;
};
constexpr std::array<Wavelengths, 8> kStrong{{{4046.565, 4047.708},
                                              {4358.335, 4359.560},
                                              {5460.750, 5462.268},
                                              {5577.339, 5578.888},
                                              {5889.951, 5891.583},
                                              {5895.924, 5897.558},
                                              {6300.304, 6302.046},
                                              {6363.776, 6365.536}}};

}  // namespace

std::vector<SkyLine> strong_sky_lines(bool vacuum, double width_angstrom) {
  std::vector<SkyLine> lines;
  for (const Wavelengths& line : kStrong) {
    lines.push_back({vacuum ? line.vacuum : line.air, width_angstrom});
  }
  return lines;
}

std::vector<SkyLine> listed_sky_lines(const std::vector<TableRow>& rows) {
  std::vector<SkyLine> lines;
  for (const TableRow& row : rows) {
    const SkyLine line{row.values[0], row.values[1]};
    if (line.centre_angstrom <= 0 || line.width_angstrom <= 0) {
      throw sdk::bad_argument(row.place, ": centre and width must be above 0 angstrom, not ", line.centre_angstrom, " and ",
                              line.width_angstrom, ". Leave the line out to keep its pixels.");
    }
    lines.push_back(line);
  }
  return lines;
}

std::vector<int32_t> pixels_on_lines(const std::vector<SkyLine>& lines, const WavelengthGrid& grid) {
  std::vector<int32_t> hit(static_cast<size_t>(grid.pixels), 0);
  for (const SkyLine& line : lines) {
    const double low = line.centre_angstrom - line.width_angstrom / 2, high = line.centre_angstrom + line.width_angstrom / 2;
    for (int64_t d = 0; d < grid.pixels; ++d) {
      const auto place = static_cast<double>(d);
      if (grid.angstrom(place - 0.5) < high && grid.angstrom(place + 0.5) > low) {
        hit[d] = 1;
      }
    }
  }
  const auto count = std::ranges::count(hit, 1);
  if (count == 0) {
    throw sdk::bad_argument("none of the ", lines.size(), " sky lines lies between ", grid.min_angstrom, " and ", grid.max_angstrom,
                            " angstrom: set sky_lines = \"none\", or give those of this range in sky_line_table.");
  }
  if (count == grid.pixels) {
    throw sdk::bad_argument("the sky lines cover all ", grid.pixels, " pixels: no observation is left. Narrow them or list fewer.");
  }
  return hit;
}

}  // namespace spectrograph
