#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/theory/gaussian.hpp>

#include "random_cases.hpp"

namespace unchannel::theory::test {
namespace {

Gaussian scalar(double mean, double variance) { return {Vector::Constant(1, mean), Matrix::Constant(1, 1, variance)}; }

TEST(KlNats, EqualsTheTextbookFormula) {
  for (std::uint64_t index = 0; index < 16; ++index) {
    Draw draw(index);
    const Eigen::Index d = 1 + static_cast<Eigen::Index>(index % 8);
    const Gaussian p{draw.normal(d), draw.covariance(d, 0.1, 5.0)}, q{draw.normal(d), draw.covariance(d, 0.1, 5.0)};
    const Vector shift = q.mean_D - p.mean_D;
    const double expected =
        0.5 * ((q.covariance_DD.inverse() * p.covariance_DD).trace() - static_cast<double>(d) +
               shift.dot(q.covariance_DD.inverse() * shift) + std::log(q.covariance_DD.determinant() / p.covariance_DD.determinant()));
    EXPECT_NEAR(kl_nats(p, q), expected, 1e-12 * (1.0 + expected));  // condition numbers ≤ 50, eight terms
  }
}

TEST(KlNats, KeepsItsDigitsWhereTheTermsCancel) {
  // Variance ratio 1 + e: KL = (e − ln(1 + e))/2 = e²/4 − e³/6 + …; the terms themselves agree to 16 digits with 0.
  const double e = 0x1p-30;
  EXPECT_NEAR(kl_nats(scalar(0.0, 1.0 + e), scalar(0.0, 1.0)) / (e * e / 4.0), 1.0, 1e-8);
  EXPECT_EQ(kl_nats(scalar(2.0, 3.0), scalar(2.0, 3.0)), 0.0);
}

TEST(KlNats, IsNotDefinedForAnIndefiniteCovariance) {
  EXPECT_THROW(kl_nats(scalar(0.0, 1.0), scalar(0.0, -1.0)), NumericalError);
  EXPECT_THROW(kl_nats(scalar(0.0, -1.0), scalar(0.0, 1.0)), NumericalError);
}

TEST(W2, OfCommutingCovariancesIsThatOfTheirDirections) {
  Draw draw(3);
  const Matrix rotation = draw.rotation(4);
  const Vector a = Vector::LinSpaced(4, 0.5, 2.0), b = Vector::LinSpaced(4, 3.0, 1.0), shift = draw.normal(4);
  const Gaussian p{Vector::Zero(4), rotation * a.asDiagonal() * rotation.transpose()},
      q{shift, rotation * b.asDiagonal() * rotation.transpose()};
  EXPECT_NEAR(w2(p, q), std::sqrt(shift.squaredNorm() + (a.cwiseSqrt() - b.cwiseSqrt()).squaredNorm()), 1e-13);
}

TEST(W2, EqualsTheBuresFormula) {
  for (std::uint64_t index = 0; index < 16; ++index) {
    Draw draw(50 + index);
    const Eigen::Index d = 1 + static_cast<Eigen::Index>(index % 8);
    const Gaussian p{draw.normal(d), draw.covariance(d, 0.1, 5.0)}, q{draw.normal(d), draw.covariance(d, 0.1, 5.0)};
    const Matrix root = square_root(p.covariance_DD);
    const double bures = (p.covariance_DD + q.covariance_DD - 2.0 * square_root(root * q.covariance_DD * root)).trace();
    EXPECT_NEAR(std::pow(w2(p, q), 2), (p.mean_D - q.mean_D).squaredNorm() + bures, 1e-12 * static_cast<double>(d));
  }
}

TEST(W2, IsExactForTinyDistances) {
  const double e = 0x1p-30;
  EXPECT_NEAR(w2(scalar(0.0, 1.0), scalar(0.0, 1.0 + e)) / (0.5 * e), 1.0, 1e-6);  // √(1 + e) − 1 = e/2 − e²/8
}

TEST(OptimalMap, TakesOneCovarianceToTheOther) {
  Draw draw(9);
  const Matrix p = draw.covariance(6, 0.1, 4.0), q = draw.covariance(6, 0.1, 4.0), map = optimal_map(p, q);
  EXPECT_LT(largest(map * p * map.transpose() - q), 1e-12);
  EXPECT_GT(least_eigenvalue(map), 0.0);
}

TEST(SquareRoot, OfANegativeMatrixIsNotDefined) { EXPECT_THROW(square_root(-Matrix::Identity(2, 2)), NumericalError); }

}  // namespace
}  // namespace unchannel::theory::test
