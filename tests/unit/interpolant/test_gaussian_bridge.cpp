#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/interpolant/gaussian_bridge.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kDimension = 24;
constexpr std::int64_t kRank = 3;

struct Case {
  GaussianModel model;
  at::Tensor dense_basis;  // float64 [D, R]
};

Case make_case() {
  at::manual_seed(7);
  const at::Tensor basis = std::get<0>(at::linalg_qr(at::randn({kDimension, kRank}, at::kDouble)));
  const at::Tensor factor = at::randn({kRank, kRank}, at::kDouble);
  Case result;
  result.dense_basis = basis;
  result.model.mean_D = at::randn({kDimension});
  result.model.basis_DR = basis.to(at::kFloat);
  result.model.covariance_RR = factor.matmul(factor.t()) + 0.3 * at::eye(kRank, at::kDouble);
  result.model.response_RR = 0.7 * at::eye(kRank, at::kDouble) + 0.2 * at::randn({kRank, kRank}, at::kDouble);
  const at::Tensor scatter = 0.3 * at::randn({kRank, kRank}, at::kDouble);
  result.model.excess_RR = scatter.matmul(scatter.t());
  result.model.shift_R = at::randn({kRank});
  return result;
}

/// E[a | I_t] by conditioning the dense joint Gaussian of (a, Uᵀ I_t) with known white level: the textbook formula.
at::Tensor dense_condition(const Case& c, const Schedule& s, double level, const at::Tensor& coordinates_R) {
  const at::Tensor& cov = c.model.covariance_RR;
  const at::Tensor map = s.alpha * at::eye(kRank, at::kDouble) + s.beta * c.model.response_RR.t();  // Uᵀ(I−m) = map·a + βq + …
  const double white = s.beta * s.beta * level * level + s.gamma * s.gamma;
  const at::Tensor seen = map.matmul(cov).matmul(map.t()) + s.beta * s.beta * c.model.excess_RR + white * at::eye(kRank, at::kDouble);
  const at::Tensor centred = coordinates_R - s.beta * c.model.shift_R.to(at::kDouble);
  return cov.matmul(map.t()).matmul(at::linalg_solve(seen, centred.unsqueeze(1))).squeeze(1);
}

void expect_dense_agreement(const std::string& kind, const std::string& gamma = "none") {
  const Case c = make_case();
  InterpolantSettings settings;
  settings.kind = kind;
  settings.gamma = gamma;
  if (kind == "fokker_planck") settings.noise_sigma = 0.7;
  settings.time_levels = 8;
  const Interpolant interpolant(settings);
  const GaussianBridge bridge(c.model, interpolant);
  const at::Tensor q_R = at::randn({kRank}, at::kDouble);
  at::Tensor outside_D = at::randn({kDimension}, at::kDouble);
  outside_D = outside_D - c.dense_basis.matmul(c.dense_basis.t().matmul(outside_D));
  for (std::int64_t level = 1; level <= 8; ++level) {
    const Schedule s = interpolant.at(interpolant.time_of(level));
    const double rho = 0.6;
    const double white = std::sqrt(s.beta * s.beta * rho * rho + s.gamma * s.gamma);
    // Off-basis part with exactly the mean square that the level ρ implies at this time.
    const at::Tensor outside = outside_D * (white * std::sqrt(static_cast<double>(kDimension - kRank)) / outside_D.norm().item<double>());
    const at::Tensor point_D = c.model.mean_D.to(at::kDouble) + c.dense_basis.matmul(q_R) + outside;
    const auto features = bridge.evaluate(at::full({1}, level, at::kLong), point_D.to(at::kFloat).view({1, 1, kDimension}));
    const at::Tensor expected_R = dense_condition(c, s, rho, q_R);
    // float32 tables and projections: 1e-4 of the largest coordinate.
    const double tolerance = 1e-4 * (1.0 + expected_R.abs().max().item<double>());
    EXPECT_LT((features.signal_GNR.flatten().to(at::kDouble) - expected_R).abs().max().item<double>(), tolerance) << kind << " level " << level;
    EXPECT_NEAR(features.outside_GN.item<double>(), rho * rho, 1e-3) << kind << " level " << level;
  }
}

TEST(GaussianBridge, EqualsDenseConditioningForTheLinearInterpolant) { expect_dense_agreement("linear"); }
TEST(GaussianBridge, EqualsDenseConditioningWithNoiseAlongThePath) { expect_dense_agreement("linear", "quadratic"); }
TEST(GaussianBridge, EqualsDenseConditioningForTheTrigonometricInterpolant) { expect_dense_agreement("trigonometric"); }
TEST(GaussianBridge, EqualsDenseConditioningForTheFokkerPlanckInterpolant) { expect_dense_agreement("fokker_planck"); }

TEST(GaussianBridge, EncodesAndDecodesWithinItsSpan) {
  const Case c = make_case();
  const GaussianBridge bridge(c.model, Interpolant(InterpolantSettings{}));
  const at::Tensor a = at::randn({5, kRank});
  EXPECT_LT((bridge.encode(bridge.decode(a)) - a).abs().max().item<float>(), 1e-5F);  // float32 rounding of two products
}

}  // namespace
}  // namespace unchannel
