#include "settings.hpp"

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel::theory {
namespace {

constexpr std::size_t kMaxDimension = 64;
constexpr std::int64_t kMaxIterations = 10'000;
constexpr std::size_t kMaxNumbersOfIterates = 1'000'000;  // all covariances of a list: 8 MB, some 30 MB as JSON
constexpr double kMaxCondition = 1e12;

using Rows = std::vector<std::vector<double>>;

/// Turns settings into matrices, with the file's lines at hand for messages.
class Checker {
 public:
  Checker(const TheorySettings& settings, const Config& config)
      : settings_(settings), config_(config), dimension_(settings.signal_mean.size()) {}

  TheoryCase checked() const {
    check<ConfigError>(dimension_ >= 1 && dimension_ <= kMaxDimension,
                       "{}: theory.signal_mean must hold 1 to {} numbers, one for each dimension; it holds {}.", place("signal_mean"),
                       kMaxDimension, dimension_);
    const auto most = static_cast<std::int64_t>(kMaxNumbersOfIterates / (dimension_ * dimension_));
    check<ConfigError>(settings_.iterations <= most, "{}: theory.iterations must be at most {} in {} dimensions; it is {}.",
                       place("iterations"), most, dimension_, settings_.iterations);
    TheoryCase result;
    result.iterations = settings_.iterations;
    GaussianProblem& problem = result.problem;
    problem.signal = {vector("signal_mean", settings_.signal_mean), covariance("signal_covariance", settings_.signal_covariance)};
    problem.channel.noise_DD = covariance("noise_covariance", settings_.noise_covariance);
    problem.channel.operator_DD = regular("operator", settings_.operator_rows);
    const Gaussian observed = problem.channel.observe(problem.signal);
    problem.initial.mean_D = settings_.initial_mean.empty() ? observed.mean_D : vector("initial_mean", settings_.initial_mean);
    problem.initial.covariance_DD =
        settings_.initial_covariance.empty() ? observed.covariance_DD : covariance("initial_covariance", settings_.initial_covariance);
    problem.rule = rule(problem.channel);
    problem.over_relaxation = settings_.over_relaxation;
    return result;
  }

 private:
  std::string place(const std::string& key) const { return config_.place_of("theory." + key); }

  Vector vector(const char* key, const std::vector<double>& values) const {
    check<ConfigError>(values.size() == dimension_, "{}: theory.{} must hold {} numbers, as signal_mean does; it holds {}.", place(key),
                       key, dimension_, values.size());
    return Eigen::Map<const Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
  }

  Matrix square(const char* key, const Rows& rows) const {
    check<ConfigError>(
        rows.size() == dimension_ && (rows.empty() || rows[0].size() == dimension_),
        "{}: theory.{} must have {} rows of {} numbers, as signal_mean holds {}; it has {} rows of {}. Write it as [[a, b], [c, d]].",
        place(key), key, dimension_, dimension_, dimension_, rows.size(), rows.empty() ? 0 : rows[0].size());
    const auto d = static_cast<Eigen::Index>(dimension_);
    return Matrix::NullaryExpr(
        d, d, [&](Eigen::Index i, Eigen::Index j) { return rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]; });
  }

  Matrix covariance(const char* key, const Rows& rows) const {
    const Matrix a_DD = square(key, rows);
    const double largest = a_DD.cwiseAbs().maxCoeff();
    for (Eigen::Index i = 0; i < a_DD.rows(); ++i) {
      for (Eigen::Index j = 0; j < i; ++j) {
        check<ConfigError>(
            std::abs(a_DD(i, j) - a_DD(j, i)) <= 1e-12 * largest,
            "{}: theory.{} must be symmetric; row {}, column {} holds {} and row {}, column {} holds {}. Make both the same.", place(key),
            key, i + 1, j + 1, a_DD(i, j), j + 1, i + 1, a_DD(j, i));
      }
    }
    const double least = least_eigenvalue(a_DD);
    check<ConfigError>(least > largest / kMaxCondition,
                       "{}: theory.{} must be positive definite; its smallest eigenvalue is {:g} and its largest entry {:g}. Give every "
                       "direction a variance, a small one where there is none.",
                       place(key), key, least, largest);
    return symmetric_part(a_DD);
  }

  Matrix regular(const char* key, const Rows& rows) const {
    const auto d = static_cast<Eigen::Index>(dimension_);
    if (rows.empty()) return Matrix::Identity(d, d);
    const Matrix a_DD = square(key, rows);
    const Vector values_D = Eigen::JacobiSVD<Matrix>(a_DD).singularValues();
    check<ConfigError>(values_D(d - 1) > values_D(0) / kMaxCondition,
                       "{}: theory.{} must be regular; its singular values reach from {:g} down to {:g}. What a channel removes altogether "
                       "no iteration brings back: leave that direction out, or give it a small gain.",
                       place(key), key, values_D(0), values_D(d - 1));
    return a_DD;
  }

  TransportRule rule(const LinearChannel& channel) const {
    const TheorySettings& s = settings_;
    check<ConfigError>(s.interpolant != "fokker_planck" || channel.additive(),
                       "{}: theory.interpolant = \"fokker_planck\" is the diffusion of y = x + n; theory.operator is not the identity. "
                       "Leave the operator out, or choose \"linear\".",
                       place("interpolant"));
    const bool growing = s.epsilon_schedule == "linear";
    check<ConfigError>(
        !growing || (s.epsilon_word.empty() && s.interpolant == "linear"),
        "{}: theory.epsilon_schedule = \"linear\" needs a number theory.epsilon and interpolant = \"linear\". Choose \"constant\".",
        place("epsilon_schedule"));
    if (s.epsilon_word == "em") return TransportRule::posterior();
    if (growing) return TransportRule::linear_growing(s.epsilon);
    if (s.interpolant == "stochastic") return TransportRule::stochastic(s.epsilon, s.gamma_scale);
    if (s.interpolant == "trigonometric") return TransportRule::trigonometric(s.epsilon);
    if (s.interpolant == "polynomial") return TransportRule::polynomial(s.epsilon, s.power);
    if (s.interpolant == "fokker_planck") return TransportRule::diffusion(s.epsilon);
    return TransportRule::linear(s.epsilon);
  }

  const TheorySettings& settings_;
  const Config& config_;
  std::size_t dimension_;
};

}  // namespace

void TheorySettings::visit(SettingsVisitor& visitor) {
  visitor.numbers({"signal_mean", "Mean of the true signals; its length is the dimension D, at most 64.", "data units"}, signal_mean);
  visitor.matrix(
      {"signal_covariance", "Covariance of the true signals, D rows of D numbers; symmetric, positive definite.", "squared data units"},
      signal_covariance);
  visitor.numbers({"initial_mean", "Mean of the signals that the iteration starts with; []: that of the observations.", "data units"},
                  initial_mean);
  visitor.matrix({"initial_covariance", "Their covariance; []: that of the observations.", "squared data units"}, initial_covariance);
  visitor.matrix(
      {"noise_covariance", "Covariance R of the channel's noise, y = H x + n; symmetric, positive definite.", "squared data units"},
      noise_covariance);
  visitor.matrix({"operator", "H, D rows of D numbers, regular; []: the identity."}, operator_rows);
  visitor.choice({"interpolant",
                  "linear: (1-t) x + t y. stochastic: the same plus gamma_scale t(1-t) z. trigonometric: cos and sin of pi t / 2. "
                  "polynomial: (1-t^p) x + t^p y. fokker_planck: the channel y = x + n as a diffusion, t its own time."},
                 interpolant, {"linear", "stochastic", "trigonometric", "polynomial", "fokker_planck"});
  visitor.number({"power", "Exponent p of \"polynomial\"."}, power, 1.0, 8.0);
  visitor.number({"gamma_scale", "Scale of the noise of \"stochastic\".", "data units"}, gamma_scale, 1e-9, 1e9);
  visitor.number_or_word(
      {"epsilon",
       "Factor of the score in the reverse SDE; 0: the ODE. \"em\": draws from the posterior under the iterate instead of a transport.",
       "squared data units"},
      epsilon, 0.0, 1e9, epsilon_word, {"em"});
  visitor.choice({"epsilon_schedule",
                  "constant: epsilon. linear: epsilon t, with interpolant \"linear\"; epsilon = sigma^2 is then EM for white noise."},
                 epsilon_schedule, {"constant", "linear"});
  visitor.number({"over_relaxation", "Mean and covariance move this many times as far as the transport takes them; 1 is the method."},
                 over_relaxation, 1e-6, 1e3);
  visitor.integer({"iterations", "Iterations."}, iterations, 0, kMaxIterations);
}

TheoryCase read_theory_case(const Config& config) {
  TheorySettings settings;
  config.fill_table("theory", [&](SettingsVisitor& visitor) { settings.visit(visitor); });
  return Checker(settings, config).checked();
}

TheoryCase read_theory_case(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  return read_theory_case(Config::read(path, overrides));
}

}  // namespace unchannel::theory
