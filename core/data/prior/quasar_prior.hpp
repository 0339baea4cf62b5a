#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace unchannel {

/// The eBOSS DR16Q quasar prior: unabsorbed quasar spectra, over their median flux density at rest 1425–1475 Å, are
/// x(λ) = μ(λ) + M(λ) w with w ~ N(0, I_R), tabulated on rest wavelengths. Between the tabulated ones μ and M are linear.
// P tabulated wavelengths, R factors, D pixels of a caller's grid
class QuasarPrior {
 public:
  /// `rest_wavelength_P` [P] Å increasing · `mean_P` [P] · `factors_PR` [P, R] row-major · all finite. Throws DataError naming `place`.
  QuasarPrior(std::vector<double> rest_wavelength_P, std::vector<double> mean_P, std::vector<double> factors_PR, std::string place,
              std::string sha256);

  std::span<const double> rest_wavelength() const noexcept { return rest_wavelength_P_; }
  std::span<const double> mean() const noexcept { return mean_P_; }
  std::span<const double> factors() const noexcept { return factors_PR_; }
  std::size_t rank() const noexcept { return factors_PR_.size() / mean_P_.size(); }
  /// Name of the file it came from and the SHA-256 of its wavelengths, μ and M (the same for the wheel and the
  /// model file inside it), for provenance.
  const std::string& source() const noexcept { return source_; }
  const std::string& sha256() const noexcept { return sha256_; }

  /// μ at rest wavelength λ/(1+z) for each λ of `wavelength_D` [D] Å (z = 0: the grid is in the rest frame). float64 [D].
  /// Throws ConfigError when a pixel falls outside the tabulated range.
  std::vector<double> mean_at(double redshift, std::span<const double> wavelength_D) const;
  /// M there, [D, R] row-major, float64. Throws ConfigError as mean_at.
  std::vector<double> factors_at(double redshift, std::span<const double> wavelength_D) const;
  /// Linear interpolation of any function tabulated on rest_wavelength() (values_P [P]). Throws ConfigError as mean_at.
  std::vector<double> interpolate(std::span<const double> values_P, double redshift, std::span<const double> wavelength_D) const;

 private:
  struct Place {
    std::size_t index;  // of the tabulated point below
    double weight;      // of the one above
  };
  std::vector<Place> locate(double redshift, std::span<const double> wavelength_D) const;

  std::vector<double> rest_wavelength_P_, mean_P_, factors_PR_;
  std::string source_, sha256_;
};

/// Reads the prior from `eboss_dr16q_minus_dr12q.npz` (arrays rest_wavelengths, mu, M) or from the wheel of gp-dla-finder 0.1.0
/// that contains it. Throws DataError: missing, damaged, wrong shapes.
QuasarPrior load_quasar_prior(const std::filesystem::path& path);

}  // namespace unchannel
