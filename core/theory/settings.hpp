#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <unchannel/base/config.hpp>

#include "recursion.hpp"

namespace unchannel::theory {

/// The table [theory] of a configuration.
struct TheorySettings {
  std::vector<double> signal_mean;
  std::vector<std::vector<double>> signal_covariance;
  std::vector<double> initial_mean;
  std::vector<std::vector<double>> initial_covariance;
  std::vector<std::vector<double>> noise_covariance;
  std::vector<std::vector<double>> operator_rows;
  std::string interpolant = "linear";
  double power = 2.0;
  double gamma_scale = 1.0;
  double epsilon = 0.0;
  std::string epsilon_word;  ///< "em" instead of a number
  std::string epsilon_schedule = "constant";
  double over_relaxation = 1.0;
  std::int64_t iterations = 10;

  void visit(SettingsVisitor& visitor);
};

/// A checked configuration.
struct TheoryCase {
  GaussianProblem problem;
  std::int64_t iterations = 0;
};

/// Reads the table [theory] of a file; other tables are left alone. Throws ConfigError, with file and line, on shapes that disagree,
/// covariances that are not symmetric and positive definite, a singular operator and rules that contradict each other.
TheoryCase read_theory_case(const Config& config);
TheoryCase read_theory_case(const std::filesystem::path& path, const std::vector<std::string>& overrides);

}  // namespace unchannel::theory
