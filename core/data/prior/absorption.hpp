#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <unchannel/base/random.hpp>

namespace unchannel {

constexpr double kLymanAlphaAngstrom = 1215.67;

/// Lyman-α forest: a factor exp(−τ) on the continuum, blueward of Lyα in the object's rest frame.
///
///   τ = A(z_abs) exp(s g),  s = 1.2,  g a stationary unit-variance Gaussian process along the line of sight with
///   correlation exp(−|Δv| / 150 km/s),  Δv = c Δln λ,  1 + z_abs = λ_obs / 1215.67 Å,
///
/// so ln τ is Gaussian with standard deviation ("width") 1.2. The amplitude A is chosen such that the *mean transmission* is that of the
/// mean effective optical depth, ⟨exp(−τ)⟩ = exp(−τ_eff), τ_eff = 0.0023 (1 + z_abs)^3.65: A solves
///   ∫ φ(g) exp(−A e^{s g}) dg = exp(−τ_eff),  φ the standard normal density,
/// (not ⟨τ⟩ = τ_eff, which would make the forest too transparent). Relative error of A ≤ 1e-4 for 1e-5 ≤ τ_eff ≤ 8.
/// A pixel has the transmission of its centre.
class LymanForest {
 public:
  static constexpr double kLogWidth = 1.2;
  static constexpr double kCorrelationKmS = 150.0;

  LymanForest();

  /// τ_eff(z_abs).
  static double mean_optical_depth(double absorber_redshift);
  /// A(τ_eff). Clamped to the tabulated range.
  double amplitude(double mean_optical_depth) const;

  /// Multiplies flux_D by the transmission of sample `id`. `wavelength_observed_D` [D] Å as observed (rest wavelength times 1 + z),
  /// increasing; `redshift` of the quasar. One normal of `key` a pixel.
  void absorb(const RandomKey& key, std::uint64_t id, double redshift, std::span<const double> wavelength_observed_D,
              std::span<double> flux_D) const;

 private:
  std::vector<double> log_tau_, log_amplitude_;  // increasing
};

/// Broad-absorption troughs of one quasar: an outflow between v_low and v_high absorbs the same fraction of each of four lines
/// (O VI 1033.8, Lyα 1215.67, N V 1240.8, Si IV 1396.8 Å), scaled by 1.0, 0.6, 1.0 and 0.7:
///
///   factor(λ) = Π_lines (1 − d s_line p(v)),  v = c ln(λ_line / λ_rest) (positive blueward),
///   p(v) = ½ [tanh((v − v_low)/300) − tanh((v − v_high)/300)]  (velocities in km/s, edges 300 km/s soft).
///
/// width = v_high − v_low ~ U(2,000, 10,000), v_low ~ U(3,000, 25,000 − width), depth d ~ U(0.3, 0.95): a plain model of high-ionisation
/// troughs in the velocity range of the balnicity index, not a fit to a survey.
class BroadAbsorption {
 public:
  /// Whether object `id` has troughs: a uniform of `key` below `fraction`; then its velocities and depth.
  BroadAbsorption(const RandomKey& key, std::uint64_t id, double fraction);

  bool present() const noexcept { return present_; }
  double velocity_low_km_s() const noexcept { return velocity_low_km_s_; }
  double velocity_high_km_s() const noexcept { return velocity_high_km_s_; }
  double depth() const noexcept { return depth_; }

  /// The factor at a rest wavelength; 1 everywhere when absent.
  double transmission(double rest_wavelength_angstrom) const;

 private:
  bool present_;
  double velocity_low_km_s_ = 0, velocity_high_km_s_ = 0, depth_ = 0;
};

}  // namespace unchannel
