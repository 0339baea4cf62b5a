#include "varying_resolution.hpp"

#include <unchannel/sdk/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace spectrograph {
namespace {

namespace sdk = unchannel::sdk;
using std::span;

// A table's pixels all differ in sigma. Instead of a kernel for each, K(sigma) x is known at nodes equal in ln(sigma) and interpolated
// between the four next ones by Lagrange's cubic: error <= 0.0234 h^4 |d^4 K / d (ln sigma)^4|, the derivative's row sum below 300.
constexpr double kNodeStep = 1.0 / 32;
constexpr double kNarrowest = 0.04;  // pixels; LineSpread takes what is below 0.05 for no spread at all

/// Weights of the nodes at -1, 0, 1, 2 for the place u in [0, 1).
std::array<double, 4> lagrange(double u) {
  return {-u * (u - 1) * (u - 2) / 6, (u + 1) * (u - 1) * (u - 2) / 2, -(u + 1) * u * (u - 2) / 2, (u + 1) * u * (u - 1) / 6};
}

void check_fwhm(const TableRow& row, double fwhm, bool may_be_zero) {
  if (fwhm < 0 || fwhm > 1 || (fwhm == 0 && !may_be_zero)) {
    throw sdk::bad_argument(row.place, ": the FWHM in ln(wavelength) must be ", may_be_zero ? "from 0" : "above 0 and up", " to 1, not ",
                            fwhm, ". It is 1 / resolving power: 0.0005 for R = 2000.");
  }
}

/// FWHM in ln(wavelength) of every pixel.
std::vector<double> interpolated(const std::vector<TableRow>& rows, const WavelengthGrid& grid) {
  // The last pixel's wavelength is computed; a table that ends exactly there must not fail by its rounding.
  const double first = rows.front().values[0] * (1 - 1e-12), last = rows.back().values[0] * (1 + 1e-12);
  if (first > grid.min_angstrom || last < grid.max_angstrom) {
    throw sdk::bad_argument(rows.back().place, ": resolution_table reaches from ", rows.front().values[0], " to ", rows.back().values[0],
                            " angstrom and must cover the pixels from ", grid.min_angstrom, " to ", grid.max_angstrom,
                            ". Add lines: nothing is extrapolated.");
  }
  std::vector<double> fwhm(static_cast<size_t>(grid.pixels));
  size_t upper = 1;
  for (int64_t d = 0; d < grid.pixels; ++d) {
    const double angstrom = grid.angstrom(static_cast<double>(d));
    while (upper + 1 < rows.size() && rows[upper].values[0] < angstrom) {
      ++upper;
    }
    const auto &left = rows[upper - 1].values, &right = rows[upper].values;
    const double share = std::clamp(std::log(angstrom / left[0]) / std::log(right[0] / left[0]), 0.0, 1.0);
    fwhm[d] = std::lerp(left[1], right[1], share);
  }
  return fwhm;
}

}  // namespace

VaryingResolution VaryingResolution::of_arms(const std::vector<TableRow>& rows, const WavelengthGrid& grid) {
  VaryingResolution k;
  int64_t d = 0;
  for (size_t arm = 0; arm < rows.size(); ++arm) {
    const TableRow& row = rows[arm];
    const double first = row.values[0], last = row.values[1], fwhm = row.values[2];
    const double before = arm > 0 ? rows[arm - 1].values[1] : 0;
    if (first <= 0 || first >= last || first < before) {
      throw sdk::bad_argument(row.place, ": an arm must have 0 < first < last and begin where the arm before it ends or later, not ", first,
                              " to ", last, before > 0 ? sdk::join(" after an end at ", before) : "",
                              ". Sort the arms and cut overlaps where one arm takes over.");
    }
    check_fwhm(row, fwhm, true);
    const int64_t begin = d;
    const double end = arm + 1 == rows.size() ? last * (1 + 1e-12) : last;  // the last pixel's wavelength is rounded
    for (; d < grid.pixels && grid.angstrom(static_cast<double>(d)) < end; ++d) {
      const double angstrom = grid.angstrom(static_cast<double>(d));
      if (angstrom < first * (1 - 1e-12)) {
        throw sdk::bad_argument(row.place, ": the pixel at ", angstrom, " angstrom is in no arm; this one begins at ", first,
                                ". Arms must cover every pixel from ", grid.min_angstrom, " to ", grid.max_angstrom, ".");
      }
    }
    if (d == begin) {
      throw sdk::bad_argument(row.place, ": the arm from ", first, " to ", last, " angstrom holds no pixel of ", grid.min_angstrom, " to ",
                              grid.max_angstrom, ". Leave it out or widen the wavelength range.");
    }
    k.sections_.push_back({fwhm / (kFwhmOverSigma * grid.step()), begin, d - begin, arm, {}});
    k.fwhm_.push_back(fwhm);
  }
  if (d < grid.pixels) {
    throw sdk::bad_argument(rows.back().place, ": the pixel at ", grid.angstrom(static_cast<double>(d)),
                            " angstrom is in no arm; the last one ends at ", rows.back().values[1], ". Arms must cover every pixel up to ",
                            grid.max_angstrom, ".");
  }
  k.factor_count_ = static_cast<int64_t>(rows.size());
  return k;
}

VaryingResolution VaryingResolution::of_table(const std::vector<TableRow>& rows, const WavelengthGrid& grid) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].values[0] <= (i > 0 ? rows[i - 1].values[0] : 0)) {
      throw sdk::bad_argument(rows[i].place, ": wavelengths must be above 0 and ascend, not ", rows[i].values[0],
                              i > 0 ? sdk::join(" after ", rows[i - 1].values[0]) : "", ". Sort the table and drop repeated lines.");
    }
    check_fwhm(rows[i], rows[i].values[1], false);
  }
  if (rows.size() < 2) {
    throw sdk::bad_argument(rows[0].place, ": resolution_table must have 2 lines or more. For one width set resolution_delta_ln_lambda = ",
                            rows[0].values[1], ".");
  }
  std::vector<double> place = interpolated(rows, grid);  // of each pixel, in nodes
  VaryingResolution k;
  k.factor_count_ = 1;
  k.fwhm_ = {std::ranges::max(place)};
  for (double& fwhm : place) {
    fwhm = std::log(std::max(kNarrowest, fwhm / (kFwhmOverSigma * grid.step()))) / kNodeStep;
  }
  const double origin = std::ranges::min(place);  // so that a constant table is one node
  const auto last = static_cast<int64_t>(std::floor(std::ranges::max(place) - origin)) + 2;
  for (int64_t node = -1; node <= last; ++node) {
    std::vector<float> weights(place.size(), 0.0F);
    for (size_t d = 0; d < place.size(); ++d) {
      const double below = std::floor(place[d] - origin);
      const int64_t tap = node - static_cast<int64_t>(below) + 1;
      if (tap >= 0 && tap < 4) {
        weights[d] = static_cast<float>(lagrange(place[d] - origin - below)[static_cast<size_t>(tap)]);
      }
    }
    k.add_section_of_node(std::exp((origin + static_cast<double>(node)) * kNodeStep), weights);
  }
  return k;
}

void VaryingResolution::add_section_of_node(double sigma_pixels, const std::vector<float>& weights) {
  const auto used = [](float weight) { return weight != 0; };
  const auto first = std::ranges::find_if(weights, used);
  if (first != weights.end()) {
    const auto last = std::find_if(weights.rbegin(), weights.rend(), used).base();
    sections_.push_back({sigma_pixels, first - weights.begin(), last - first, 0, {first, last}});
  }
}

double VaryingResolution::widest(span<const float> factors) const {
  double widest = 0;
  for (size_t arm = 0; arm < fwhm_.size(); ++arm) {
    if (!(factors[arm] > 0)) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    widest = std::max(widest, fwhm_[arm] * static_cast<double>(factors[arm]));
  }
  return widest;
}

void VaryingResolution::apply(LineSpread& spread, span<const float> factors, span<const float> x, span<float> y) const {
  std::vector<float> row;
  if (!sections_[0].weights.empty()) {
    row.resize(x.size());
    std::ranges::fill(y, 0.0F);
  }
  for (const Section& section : sections_) {
    const double sigma = section.sigma_pixels * static_cast<double>(factors[section.factor]);
    const span<float> out = y.subspan(static_cast<size_t>(section.first), static_cast<size_t>(section.count));
    if (section.weights.empty()) {
      spread.apply(sigma, x, section.first, out);
      continue;
    }
    spread.apply(sigma, x, section.first, span(row).first(out.size()));
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] += section.weights[i] * row[i];
    }
  }
}

/// K(sigma) is symmetric, so the transpose of some of its rows is K(sigma) of a spectrum that is zero elsewhere.
void VaryingResolution::apply_adjoint(LineSpread& spread, span<const float> factors, span<const float> c, span<float> g) const {
  std::vector<float> row(c.size()), smooth(c.size());
  std::ranges::fill(g, 0.0F);
  for (const Section& section : sections_) {
    const double sigma = section.sigma_pixels * static_cast<double>(factors[section.factor]);
    std::ranges::fill(row, 0.0F);
    for (int64_t i = 0; i < section.count; ++i) {
      row[section.first + i] = c[section.first + i] * (section.weights.empty() ? 1 : section.weights[i]);
    }
    const int64_t reach = LineSpread::reach(sigma);
    const int64_t begin = std::max<int64_t>(0, section.first - reach);
    const int64_t end = std::min(static_cast<int64_t>(c.size()), section.first + section.count + reach);
    const auto out = span(smooth).first(static_cast<size_t>(end - begin));
    spread.apply(sigma, row, begin, out);
    for (size_t i = 0; i < out.size(); ++i) {
      g[begin + i] += out[i];
    }
  }
}

}  // namespace spectrograph
