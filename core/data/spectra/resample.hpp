#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace unchannel {

/// Pixels of a spectrum with their edges; they may have gaps but must not overlap.
// P input pixels, D output pixels
struct SpectrumPixels {
  std::vector<double> lower, upper;  ///< [P] edges, Å, increasing
  std::vector<double> flux, ivar;    ///< [P] flux density and its inverse variance
  std::vector<std::uint8_t> good;    ///< [P] 1 where the pixel may be used; needs ivar > 0
};

/// Edges of pixels given by their centres: the geometric mean of neighbours; where neighbours are more than 1.5 typical (median) steps
/// apart there is a gap, and the pixel ends half a typical step from its centre.
void set_edges(std::span<const double> centres_angstrom, SpectrumPixels& pixels);

/// A resampled spectrum. Where mask = 1, flux and ivar are 0.
struct ResampledSpectrum {
  std::vector<double> flux, ivar;  ///< [D]
  std::vector<std::uint8_t> mask;  ///< [D] 1 = missing or bad
};

/// Good pixels in the running median that smooths the weights.
constexpr std::size_t kWeightWindow = 51;

/// Puts a spectrum onto other pixels, given by `edges_angstrom` [D+1], keeping flux *density*.
///
/// Over good input pixels i of width Δ_i, with a_ik the overlap (Å) with output pixel k and s_i the median ivar of the 51 good pixels
/// around i:
///   flux_k = Σ_i a_ik s_i flux_i / Σ_i a_ik s_i,    ivar_k = (Σ_i a_ik s_i)² / Σ_i (a_ik Δ_i s_i² / ivar_i).
/// A constant stays constant, and flux is conserved exactly where s is constant. The weights are *smoothed* inverse variances because a
/// pixel's own ivar falls when its counts fluctuate up: raw weights bias real BOSS spectra low by 0.3 % on average (1 % at S/N 1), smoothed
/// ones by less than 0.01 % at the survey's own sampling. Each input pixel's information is dealt out once: where it is shared by two
/// output pixels their errors are correlated, and ivar_k is the one that gives averages over many pixels their right error (the error of
/// a single pixel is then overestimated, by up to √2 for equal pixel sizes). An output pixel is good when good input pixels cover at
/// least `min_cover` of it.
ResampledSpectrum resample(const SpectrumPixels& pixels, std::span<const double> edges_angstrom, double min_cover = 0.5);

}  // namespace unchannel
