#include "quasar_prior.hpp"

#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

#include "../archive/archive.hpp"
#include "../archive/npy.hpp"

namespace unchannel {
namespace {

constexpr std::uint64_t kMaxUnpackedBytes = std::uint64_t{256} << 20;
constexpr const char* kModelName = "eboss_dr16q_minus_dr12q.npz";

void check_finite(const std::vector<double>& values, const std::string& place, const char* name) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    check<DataError>(std::isfinite(values[k]), "{}: {}[{}] is {}; the prior must be finite.", place, name, k, values[k]);
  }
}

NpyArray take(const ArchiveEntries& entries, const std::string& name, const std::string& place) {
  const auto found = entries.find(name + ".npy");
  check<DataError>(found != entries.end(), "{}: has no array \"{}\"; give {} or the wheel of gp-dla-finder 0.1.0.", place, name,
                   kModelName);
  return parse_npy(found->second, place + ": " + name);
}

/// Digest of the numbers themselves, so that the wheel and the model file taken out of it are the same prior.
std::string digest(const std::vector<const std::vector<double>*>& arrays) {
  std::string bytes;
  for (const std::vector<double>* array : arrays) {
    bytes.append(reinterpret_cast<const char*>(array->data()), array->size() * sizeof(double));
  }
  return sha256_text(bytes);
}

}  // namespace

QuasarPrior::QuasarPrior(std::vector<double> rest_wavelength_P, std::vector<double> mean_P, std::vector<double> factors_PR,
                         std::string place, std::string sha256)
    : rest_wavelength_P_(std::move(rest_wavelength_P)),
      mean_P_(std::move(mean_P)),
      factors_PR_(std::move(factors_PR)),
      source_(std::filesystem::path(place).filename().string()),
      sha256_(std::move(sha256)) {
  const std::size_t points = rest_wavelength_P_.size();
  check<DataError>(points >= 2 && mean_P_.size() == points && !factors_PR_.empty() && factors_PR_.size() % points == 0,
                   "{}: rest_wavelengths has {} values, mu {} and M {}; they must be [P], [P] and [P, R].", place, points, mean_P_.size(),
                   factors_PR_.size());
  check_finite(rest_wavelength_P_, place, "rest_wavelengths");
  check_finite(mean_P_, place, "mu");
  check_finite(factors_PR_, place, "M");
  for (std::size_t k = 0; k < points; ++k) {
    check<DataError>(rest_wavelength_P_[k] > (k == 0 ? 0.0 : rest_wavelength_P_[k - 1]),
                     "{}: rest_wavelengths[{}] = {}; wavelengths must be positive and increasing.", place, k, rest_wavelength_P_[k]);
  }
}

std::vector<QuasarPrior::Place> QuasarPrior::locate(double redshift, std::span<const double> wavelength_D) const {
  check<ConfigError>(std::isfinite(redshift) && redshift > -1, "redshift {}: it must be above -1.", redshift);
  std::vector<Place> places;
  places.reserve(wavelength_D.size());
  for (const double wavelength : wavelength_D) {
    const double rest = wavelength / (1 + redshift);
    check<ConfigError>(rest >= rest_wavelength_P_.front() && rest <= rest_wavelength_P_.back(),
                       "wavelength {:.2f} angstrom at redshift {:.4f} is {:.2f} angstrom at rest, outside the prior's {:.2f} … {:.2f}. "
                       "Narrow the wavelength or the redshift range.",
                       wavelength, redshift, rest, rest_wavelength_P_.front(), rest_wavelength_P_.back());
    const auto above = std::upper_bound(rest_wavelength_P_.begin() + 1, rest_wavelength_P_.end() - 1, rest);
    const auto index = static_cast<std::size_t>(above - rest_wavelength_P_.begin()) - 1;
    places.push_back({index, (rest - rest_wavelength_P_[index]) / (rest_wavelength_P_[index + 1] - rest_wavelength_P_[index])});
  }
  return places;
}

std::vector<double> QuasarPrior::interpolate(std::span<const double> values_P, double redshift,
                                             std::span<const double> wavelength_D) const {
  check<ShapeError>(values_P.size() == mean_P_.size(), "a function on the prior's wavelengths needs {} values, not {}.", mean_P_.size(),
                    values_P.size());
  std::vector<double> values_D;
  values_D.reserve(wavelength_D.size());
  for (const auto [index, weight] : locate(redshift, wavelength_D)) {
    values_D.push_back((1 - weight) * values_P[index] + weight * values_P[index + 1]);
  }
  return values_D;
}

std::vector<double> QuasarPrior::mean_at(double redshift, std::span<const double> wavelength_D) const {
  return interpolate(mean_P_, redshift, wavelength_D);
}

std::vector<double> QuasarPrior::factors_at(double redshift, std::span<const double> wavelength_D) const {
  const std::size_t factors = rank();
  std::vector<double> values_DR;
  values_DR.reserve(wavelength_D.size() * factors);
  for (const auto [index, weight] : locate(redshift, wavelength_D)) {
    for (std::size_t r = 0; r < factors; ++r) {
      values_DR.push_back((1 - weight) * factors_PR_[index * factors + r] + weight * factors_PR_[(index + 1) * factors + r]);
    }
  }
  return values_DR;
}

QuasarPrior load_quasar_prior(const std::filesystem::path& path) {
  const std::string place = path.string();
  const auto wanted = [](const std::string& name) {
    return name == "mu.npy" || name == "M.npy" || name == "rest_wavelengths.npy" || name.ends_with(kModelName);
  };
  ArchiveEntries entries = read_archive(path, wanted, kMaxUnpackedBytes);
  const auto model = std::find_if(entries.begin(), entries.end(), [](const auto& entry) { return entry.first.ends_with(kModelName); });
  if (model != entries.end()) {  // a wheel: the model is an archive inside the archive
    const std::string bytes = std::move(model->second);
    entries = read_archive_bytes(bytes, place + ": " + model->first, wanted, kMaxUnpackedBytes);
  }
  NpyArray wavelength = take(entries, "rest_wavelengths", place), mean = take(entries, "mu", place), factors = take(entries, "M", place);
  check<DataError>(wavelength.shape.size() == 1 && mean.shape.size() == 1 && factors.shape.size() == 2 &&
                       factors.shape[0] == mean.shape[0] && factors.shape[1] <= factors.shape[0],
                   "{}: rest_wavelengths, mu and M must have the shapes [P], [P] and [P, R] with R ≤ P.", place);
  const std::string sha256 = digest({&wavelength.values, &mean.values, &factors.values});
  return QuasarPrior(std::move(wavelength.values), std::move(mean.values), std::move(factors.values), place, sha256);
}

}  // namespace unchannel
