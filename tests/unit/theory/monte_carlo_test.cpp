#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <cstdio>
#include <functional>

#include <unchannel/theory/recursion.hpp>

#include "random_cases.hpp"

// One iteration by particles: signals are observed and carried back by the reverse SDE in small steps, and their mean and covariance are
// compared with the recursion's. Shape legend: D dimension, B particles of a block
namespace unchannel::theory::test {
namespace {

constexpr std::int64_t kBlock = 1024;

/// A path by its functions alone; rates follow from differences.
struct Path {
  std::function<double(double)> alpha, beta, gamma;
};

/// The affine reverse drift b − ε s at a time: matrix · (u − centre) + shift.
struct Drift {
  Matrix matrix_DD;
  Vector centre_D, shift_D;
};

double rate(const std::function<double(double)>& f, double t) { return (f(t + 1e-6) - f(t - 1e-6)) / 2e-6; }

/// E[İ | I] and the score by conditioning the joint Gaussian of w = (x, n, z), which I and İ are linear in.
Drift conditioned(const GaussianProblem& problem, const Path& path, double epsilon, double t) {
  const Eigen::Index d = problem.initial.mean_D.size();
  Matrix covariance = Matrix::Zero(3 * d, 3 * d), place(d, 3 * d), velocity(d, 3 * d);
  covariance.block(0, 0, d, d) = problem.initial.covariance_DD;
  covariance.block(d, d, d, d) = problem.channel.noise_DD;
  covariance.block(2 * d, 2 * d, d, d).setIdentity();
  const Matrix one = Matrix::Identity(d, d);
  place << path.alpha(t) * one + path.beta(t) * problem.channel.operator_DD, path.beta(t) * one, path.gamma(t) * one;
  velocity << rate(path.alpha, t) * one + rate(path.beta, t) * problem.channel.operator_DD, rate(path.beta, t) * one,
      rate(path.gamma, t) * one;
  Vector mean = Vector::Zero(3 * d);
  mean.head(d) = problem.initial.mean_D;
  const Eigen::LDLT<Matrix> spread(place * covariance * place.transpose());
  const Matrix regression = spread.solve(place * covariance * velocity.transpose()).transpose();
  return {regression + epsilon * spread.solve(one), place * mean, velocity * mean};
}

/// The reverse drift of dX = R^½ dW: half the noise from the probability flow, ε from the score.
Drift diffusing(const GaussianProblem& problem, double epsilon, double t) {
  const Eigen::Index d = problem.initial.mean_D.size();
  const Eigen::LDLT<Matrix> spread(problem.initial.covariance_DD + t * problem.channel.noise_DD);
  return {(0.5 * problem.channel.noise_DD + epsilon * Matrix::Identity(d, d)) * spread.solve(Matrix::Identity(d, d)),
          problem.initial.mean_D, Vector::Zero(d)};
}

class Particles {
 public:
  Particles(const GaussianProblem& problem, std::vector<Drift> drifts, double epsilon, std::uint32_t seed)
      : problem_(problem), drifts_(std::move(drifts)), epsilon_(epsilon), engine_(seed) {}

  /// Mean and covariance of `count` particles at t = 0.
  Gaussian moments(std::int64_t count) {
    const Eigen::Index d = problem_.signal.mean_D.size();
    Vector sum = Vector::Zero(d);
    Matrix squares = Matrix::Zero(d, d);
    for (std::int64_t done = 0; done < count; done += kBlock) {
      const Matrix x_DB = carried_back(observed());
      sum += x_DB.rowwise().sum();
      squares += x_DB * x_DB.transpose();
    }
    const double n = static_cast<double>(count);
    return {sum / n, squares / n - sum * sum.transpose() / (n * n)};
  }

 private:
  Matrix normal() {
    Matrix z_DB(problem_.signal.mean_D.size(), kBlock);
    for (Eigen::Index i = 0; i < z_DB.size(); ++i) z_DB.data()[i] = normal_(engine_);
    return z_DB;
  }
  Matrix observed() {
    const Matrix factor = problem_.signal.covariance_DD.llt().matrixL(), noise = problem_.channel.noise_DD.llt().matrixL();
    const Matrix x_DB = (factor * normal()).colwise() + problem_.signal.mean_D;
    return problem_.channel.operator_DD * x_DB + noise * normal();
  }
  static Matrix at(const Drift& drift, const Matrix& x_DB) {
    return (drift.matrix_DD * (x_DB.colwise() - drift.centre_D)).colwise() + drift.shift_D;
  }
  /// Heun's scheme: weak order 2 for noise that does not depend on X.
  Matrix carried_back(Matrix x_DB) {
    const double h = 1.0 / static_cast<double>(drifts_.size() - 1);
    for (std::size_t i = drifts_.size() - 1; i > 0; --i) {
      const Matrix slope_DB = at(drifts_[i], x_DB);
      Matrix kick_DB = Matrix::Zero(x_DB.rows(), x_DB.cols());
      if (epsilon_ > 0.0) kick_DB = std::sqrt(2.0 * epsilon_ * h) * normal();
      const Matrix guess_DB = x_DB - h * slope_DB + kick_DB;
      x_DB += kick_DB - 0.5 * h * (slope_DB + at(drifts_[i - 1], guess_DB));
    }
    return x_DB;
  }

  GaussianProblem problem_;
  std::vector<Drift> drifts_;
  double epsilon_;
  boost::random::mt19937 engine_;
  boost::random::normal_distribution<double> normal_;
};

/// Largest deviation of the particles' moments from `expected`, in standard errors.
double deviation(const Gaussian& measured, const Gaussian& expected, std::int64_t count) {
  const Matrix& c = expected.covariance_DD;
  double worst = 0.0;
  for (Eigen::Index i = 0; i < c.rows(); ++i) {
    worst = std::max(worst, std::abs(measured.mean_D(i) - expected.mean_D(i)) / std::sqrt(c(i, i) / static_cast<double>(count)));
    for (Eigen::Index j = 0; j <= i; ++j) {
      const double error = std::sqrt((c(i, i) * c(j, j) + c(i, j) * c(i, j)) / static_cast<double>(count));
      worst = std::max(worst, std::abs(measured.covariance_DD(i, j) - c(i, j)) / error);
    }
  }
  return worst;
}

/// Schedules in turn; only the diffusion needs H = I.
struct Schedule {
  const char* name;
  TransportRule (*rule)(double epsilon);
  Path path;
};

const auto kLine = [](double t) { return t; };
const auto kLineDown = [](double t) { return 1.0 - t; };
const auto kZero = [](double) { return 0.0; };

const Schedule kSchedules[] = {
    {"linear", [](double e) { return TransportRule::linear(e); }, {kLineDown, kLine, kZero}},
    {"stochastic", [](double e) { return TransportRule::stochastic(e); }, {kLineDown, kLine, [](double t) { return t * (1.0 - t); }}},
    {"trigonometric",
     [](double e) { return TransportRule::trigonometric(e); },
     {[](double t) { return std::cos(M_PI_2 * t); }, [](double t) { return std::sin(M_PI_2 * t); }, kZero}},
    {"polynomial",
     [](double e) { return TransportRule::polynomial(e, 2.0); },
     {[](double t) { return 1.0 - t * t; }, [](double t) { return t * t; }, kZero}},
    {"diffusion", [](double e) { return TransportRule::diffusion(e); }, {}},
};

// The full count (50 cases, 1e6 particles, 256 steps) is `script/bench theory`; docs/benchmarks/awgn.md has its result. The
// discretisation's error, of order h² |drift'|² ≈ (6/steps)²/6, stays below a fifth of a standard error for 1e6 particles in 256 steps and
// for the small count in 64.
TEST(Recursion, EqualsParticlesOfTheReverseSde) {
  const std::int64_t cases = count_from("UNCHANNEL_THEORY_CASES", 10), particles = count_from("UNCHANNEL_THEORY_PARTICLES", 20 * kBlock);
  const std::int64_t steps = count_from("UNCHANNEL_THEORY_STEPS", 64), count = (particles + kBlock - 1) / kBlock * kBlock;
  const bool full = std::getenv("UNCHANNEL_THEORY_CASES") != nullptr;  // a run of minutes shows where it is
  double worst = 0.0;
  for (std::int64_t index = 0; index < cases; ++index) {
    const Schedule& schedule = kSchedules[index % 5];
    const double epsilon = index / 5 % 2 ? Draw(77 + static_cast<std::uint64_t>(index)).uniform(0.05, 1.0) : 0.0;
    GaussianProblem problem = random_problem(static_cast<std::uint64_t>(3 * index), index % 3 == 0, index % 5 != 4);
    problem.rule = schedule.rule(epsilon);
    std::vector<Drift> drifts;
    for (std::int64_t i = 0; i <= steps; ++i) {
      const double t = static_cast<double>(i) / static_cast<double>(steps);
      drifts.push_back(schedule.path.alpha ? conditioned(problem, schedule.path, epsilon, t) : diffusing(problem, epsilon, t));
    }
    Particles run(problem, std::move(drifts), epsilon, 1 + static_cast<std::uint32_t>(index));
    const double errors = deviation(run.moments(count), step(problem, problem.initial), count);
    if (full) {
      std::printf("case %2ld: %-13s epsilon %.3f, dimension %ld: %.2f standard errors\n", index, schedule.name, epsilon,
                  problem.signal.mean_D.size(), errors);
      std::fflush(stdout);
    }
    EXPECT_LT(errors, 4.0) << schedule.name << ", case " << index;
    worst = std::max(worst, errors);
  }
  std::printf("%ld cases, %ld particles each, %ld steps: at most %.2f standard errors\n", cases, count, steps, worst);
}

}  // namespace
}  // namespace unchannel::theory::test
