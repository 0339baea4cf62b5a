#pragma once

#include <map>
#include <string>
#include <vector>

namespace unchannel::conformance {

/// The law of a latent as unchannel_latent.prior declares it, with its arguments worked out.
struct PriorLaw {
  enum class Kind { none, other, uniform, normal, lognormal, bernoulli, poisson };
  Kind kind = Kind::none;
  double a = 0, b = 0;  ///< uniform(a, b), normal(mean, sd), lognormal(mean, sd) of the logarithm, bernoulli(p), poisson(mean)

  bool testable() const { return kind != Kind::none && kind != Kind::other; }
  bool continuous() const { return kind == Kind::uniform || kind == Kind::normal || kind == Kind::lognormal; }
  bool valid() const;  ///< the arguments belong to such a law
  /// A continuous law of width zero.
  bool degenerate() const;
  /// P(value ≤ x) of a continuous law.
  double cdf(double x) const;
  double mean() const;
  double variance() const;
};

/// Arguments are numbers, ids of parameters, +, -, * and parentheses. Throws CheckFailed quoting the text.
PriorLaw parse_prior(const std::string& text, const std::map<std::string, double>& parameters);

/// √n times the Kolmogorov–Smirnov distance between the values and the law; above x with probability ≈ 2 exp(−2x²) when they agree.
double kolmogorov_smirnov(std::vector<double> values, const PriorLaw& law);

}  // namespace unchannel::conformance
