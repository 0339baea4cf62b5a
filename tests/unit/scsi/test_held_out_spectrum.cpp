#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include <unchannel/base/error.hpp>
#include <unchannel/scsi/held_out_spectrum.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kRows = 2000, kElements = 128;

/// Orthonormal smooth direction number k.
at::Tensor cosine_direction(std::int64_t k, std::int64_t elements = kElements) {
  const auto count = static_cast<double>(elements);
  const at::Tensor n = at::arange(elements, at::kDouble) + 0.5;
  return (n * (std::numbers::pi * static_cast<double>(k) / count)).cos() * std::sqrt(2.0 / count);
}

struct NoisyRows {
  at::Tensor y_ND, weight_N = at::ones({kRows}), level2_N = at::ones({kRows});

  explicit NoisyRows(const std::vector<double>& variances) {
    at::manual_seed(11);
    at::Tensor y = at::randn({kRows, kElements}, at::kDouble);
    for (std::size_t k = 0; k < variances.size(); ++k) {
      y += std::sqrt(variances[k]) * at::outer(at::randn({kRows}, at::kDouble), cosine_direction(static_cast<std::int64_t>(k) + 2));
    }
    y_ND = y.to(at::kFloat);
  }
};

TEST(HeldOutSpectrum, FindsTheNumberOfDirectionsAndTheirVariances) {
  const NoisyRows rows({8.0, 2.0});
  const Spectrum found = held_out_spectrum(rows.y_ND, rows.weight_N, rows.level2_N, 0.0, 10);
  ASSERT_EQ(found.values_R.numel(), 2);
  EXPECT_EQ(found.vectors_DR.size(1), 2);
  // Sampling error of a variance v under unit noise: (v + 1) √(2/2000), three of them; the angle between fitted and true direction
  // takes (D/N)(v + 1)/v² of it: 1 % and 5 %.
  EXPECT_NEAR(found.values_R[0].item<double>(), 8.0, 0.95);
  EXPECT_NEAR(found.values_R[1].item<double>(), 2.0 * 0.95, 0.30);
  const Moments moments = weighted_moments(rows.y_ND, rows.weight_N);
  EXPECT_LT(found.values_R[1].item<double>(), leading_eigenvectors(moments.covariance_DD, 2).values_R[1].item<double>() - 1.0)
      << "in sample the noise that the direction was chosen by counts as signal";
}

TEST(HeldOutSpectrum, RefusesPureNoise) {
  const NoisyRows rows({});
  EXPECT_THROW(held_out_spectrum(rows.y_ND, rows.weight_N, rows.level2_N, 0.0, 10), NumericalError);
}

TEST(FilterBasis, TurnsANoisySmoothDirectionTowardsTheTruth) {
  at::manual_seed(12);
  const at::Tensor truth = cosine_direction(5, 1024);
  at::Tensor noisy = truth + 0.01 * at::randn({1024}, at::kDouble);
  noisy /= noisy.norm();
  const at::Tensor filtered = filter_basis(noisy.unsqueeze(1)).squeeze(1);
  const auto sin2 = [&](const at::Tensor& v) {
    const double cosine = (v.dot(truth) / v.norm()).item<double>();
    return 1.0 - cosine * cosine;
  };
  // Of 1,024 white numbers the filter keeps those in the few frequencies that share the power average with the signal's, about a tenth.
  EXPECT_LT(sin2(filtered), 0.2 * sin2(noisy));
  // v = λ cos² was measured along the noisy direction; the lengthened column must give λ back: |column|² v = λ.
  const double cos2 = 1.0 - sin2(noisy);
  EXPECT_NEAR(filtered.square().sum().item<double>() * cos2, 1.0, 0.05);
}

TEST(FilterBasis, LeavesANoiseFreeDirection) {
  // Reflection at the ends and the direction's own tail beyond half the frequencies leave a thousandth of its largest element.
  const at::Tensor truth = cosine_direction(5, 1024).unsqueeze(1);
  EXPECT_LT((filter_basis(truth) - truth).abs().max().item<double>(), 1e-3 * std::sqrt(2.0 / 1024.0));
}

}  // namespace
}  // namespace unchannel
