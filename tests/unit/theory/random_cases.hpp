#pragma once

#include <Eigen/QR>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <unchannel/theory/recursion.hpp>

// Random Gaussian problems of dimension 1 to 8, the same for the same index. Shape legend: D dimension
namespace unchannel::theory::test {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine_); }
  Vector normal(Eigen::Index count) {
    return Vector::NullaryExpr(count, [this](Eigen::Index) { return std::normal_distribution<double>()(engine_); });
  }
  Matrix normal(Eigen::Index rows, Eigen::Index columns) {
    return Matrix::NullaryExpr(rows, columns, [this](Eigen::Index, Eigen::Index) { return std::normal_distribution<double>()(engine_); });
  }
  Matrix rotation(Eigen::Index dimension) {
    return Eigen::HouseholderQR<Matrix>(normal(dimension, dimension)).householderQ() * Matrix::Identity(dimension, dimension);
  }
  /// Symmetric with eigenvalues between the two.
  Matrix covariance(Eigen::Index dimension, double low, double high) {
    const Matrix rotation_DD = rotation(dimension);
    const Vector values_D = Vector::NullaryExpr(dimension, [&](Eigen::Index) { return uniform(low, high); });
    return symmetric_part(rotation_DD * values_D.asDiagonal() * rotation_DD.transpose());
  }

 private:
  std::mt19937_64 engine_;
};

/// Signal and start with variances 0.3 to 3 that do not commute; H = I and white noise when `white`, else a noise of its own directions
/// and, when `blurred`, an H with singular values 0.5 to 1.5 near the identity.
inline GaussianProblem random_problem(std::uint64_t index, bool white, bool blurred) {
  Draw draw(1000 + index);
  const Eigen::Index dimension = 1 + static_cast<Eigen::Index>(index % 8);
  GaussianProblem problem;
  problem.signal = {draw.normal(dimension), draw.covariance(dimension, 0.3, 3.0)};
  problem.initial = {draw.normal(dimension), draw.covariance(dimension, 0.3, 3.0)};
  problem.channel.noise_DD =
      white ? Matrix(draw.uniform(0.2, 2.0) * Matrix::Identity(dimension, dimension)) : draw.covariance(dimension, 0.2, 2.0);
  problem.channel.operator_DD = Matrix::Identity(dimension, dimension);
  if (blurred) problem.channel.operator_DD += 0.5 * draw.uniform(-1.0, 1.0) * draw.rotation(dimension);
  return problem;
}

inline double largest(const Matrix& a) { return a.cwiseAbs().maxCoeff(); }

/// The environment's number, for the full count of a check that continuous integration runs with a small one.
inline std::int64_t count_from(const char* variable, std::int64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoll(text, nullptr, 10) : otherwise;
}

}  // namespace unchannel::theory::test
