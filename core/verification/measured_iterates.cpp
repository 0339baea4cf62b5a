#include "measured_iterates.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <unchannel/theory/contraction.hpp>

// Shape legend: R repeats · K iterates · D dimension
namespace unchannel::verification {
namespace {

/// Of known errors one entry in two million is beyond, of errors estimated from few repeats more: docs/theory/verification.md, (1).
constexpr double kStandardErrors = 5.0;
/// A distance that may be wrong by more than a third says nothing about a rate.
constexpr double kUsableDistance = 3.0;

/// Differences from a reference law, whitened by it.
struct Whitened {
  theory::Vector mean_D;
  theory::Matrix covariance_DD;
};

Whitened whitened(const theory::Gaussian& law, const theory::Gaussian& reference) {
  const theory::Matrix root_DD = reference.covariance_DD.llt().matrixL();
  const auto solve = [&](const theory::Matrix& a) -> theory::Matrix { return root_DD.triangularView<Eigen::Lower>().solve(a); };
  const theory::Matrix half_DD = solve(law.covariance_DD - reference.covariance_DD);
  return {solve(law.mean_D - reference.mean_D), solve(half_DD.transpose())};
}

theory::Gaussian average(const std::vector<std::vector<theory::Gaussian>>& repeats_RK, std::size_t k) {
  theory::Gaussian mean = repeats_RK.front()[k];
  for (std::size_t r = 1; r < repeats_RK.size(); ++r) {
    mean.mean_D += repeats_RK[r][k].mean_D;
    mean.covariance_DD += repeats_RK[r][k].covariance_DD;
  }
  mean.mean_D /= static_cast<double>(repeats_RK.size());
  mean.covariance_DD /= static_cast<double>(repeats_RK.size());
  return mean;
}

MeasuredIterate measure_iterate(const std::vector<std::vector<theory::Gaussian>>& repeats_RK, std::size_t k, const theory::Gaussian& predicted,
                                const theory::Gaussian& signal) {
  MeasuredIterate measured;
  measured.law = average(repeats_RK, k);
  measured.w2 = theory::w2(signal, measured.law);
  const Whitened error = whitened(measured.law, predicted);
  measured.mean_error = error.mean_D.cwiseAbs().maxCoeff();
  measured.covariance_error = error.covariance_DD.cwiseAbs().maxCoeff();
  double mean_square = 0.0, covariance_square = 0.0;
  for (const auto& repeat : repeats_RK) {
    const Whitened own = whitened(repeat[k], predicted);
    mean_square += (own.mean_D - error.mean_D).squaredNorm();
    covariance_square += (own.covariance_DD - error.covariance_DD).squaredNorm();
  }
  const auto repeats = static_cast<double>(repeats_RK.size()), dimension = static_cast<double>(signal.mean_D.size());
  measured.mean_scatter = std::sqrt(mean_square / (dimension * repeats * (repeats - 1.0)));
  measured.covariance_scatter = std::sqrt(covariance_square / (dimension * dimension * repeats * (repeats - 1.0)));
  return measured;
}

/// Of the predicted distances and of small errors near the signal.
double slowest_factor(const theory::GaussianProblem& problem, const std::vector<theory::Iterate>& predicted) {
  const theory::Contraction near = theory::contraction(problem.rule, problem.channel, problem.signal.covariance_DD);
  double slowest = std::max(near.mean_rate, near.covariance_rate);
  for (std::size_t k = 1; k < predicted.size(); ++k) {
    if (predicted[k - 1].w2 > 0.0) slowest = std::max(slowest, predicted[k].w2 / predicted[k - 1].w2);
  }
  return slowest;
}

}  // namespace

SchemeResult compare(const Scheme& scheme, const std::vector<std::vector<theory::Gaussian>>& repeats_RK, double fit_tolerance) {
  SchemeResult result{scheme, theory::iterate(scheme.problem, static_cast<std::int64_t>(repeats_RK.front().size()) - 1), {}};
  const double factor = slowest_factor(scheme.problem, result.predicted);
  double of_fits = 0.0;
  bool usable = true;
  for (std::size_t k = 0; k < result.predicted.size(); ++k) {
    const theory::Iterate& predicted = result.predicted[k];
    MeasuredIterate measured = measure_iterate(repeats_RK, k, predicted.law, scheme.problem.signal);
    measured.mean_tolerance = of_fits + kStandardErrors * measured.mean_scatter;
    measured.covariance_tolerance = of_fits + kStandardErrors * measured.covariance_scatter;
    // A mean off by τ spreads and variances off by a share τ move the law by τ and τ/2 of its spread, √tr C.
    measured.w2_error = std::hypot(measured.mean_tolerance, measured.covariance_tolerance / 2.0) * std::sqrt(predicted.law.covariance_DD.trace());
    usable = usable && predicted.w2 >= kUsableDistance * measured.w2_error;
    if (usable) result.usable = static_cast<std::int64_t>(k);
    result.measured.push_back(std::move(measured));
    of_fits = factor * of_fits + fit_tolerance;
  }
  return result;
}

}  // namespace unchannel::verification
