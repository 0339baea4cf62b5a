#include "contraction.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/erfinv.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>

// Further letters: C = Q·S figures
namespace unchannel::diagnostics {
namespace {

constexpr int kRates = 400;
constexpr double kSlowest = 0.02, kFastest = 60;  // −ln ρ times the span of the evaluations: a steady drift, a step at the first one

/// The fit at one rate.
struct Fit {
  double decay = 0;        ///< −ln ρ
  at::Tensor amplitude_C;  ///< a
  at::Tensor residual_KC;
  double rss = 0;
  double sxx = 0;  ///< squared scatter of the regressor
};

double total(const at::Tensor& values) { return values.sum().item<double>(); }

Fit fit_at(double decay, const at::Tensor& since_K, const at::Tensor& centred_KC) {
  Fit fit;
  fit.decay = decay;
  const at::Tensor regressor_K = 1.0 - (since_K * -decay).exp();
  const at::Tensor x_K1 = (regressor_K - regressor_K.mean()).unsqueeze(1);
  fit.sxx = total(x_K1.square());
  fit.amplitude_C = (x_K1 * centred_KC).sum(0) / fit.sxx;
  fit.residual_KC = centred_KC - x_K1 * fit.amplitude_C;
  fit.rss = total(fit.residual_KC.square());
  return fit;
}

/// (1 + φ)/(1 − φ): by how much correlated residuals enlarge the variance of a slope.
double inflation(const at::Tensor& residual_KC) {
  const std::int64_t K = residual_KC.size(0);
  const double all = total(residual_KC.square());
  if (all <= 0) return 1;
  const double phi = std::clamp(total(residual_KC.slice(0, 1, K) * residual_KC.slice(0, 0, K - 1)) / all, 0.0, 0.9);
  return (1 + phi) / (1 - phi);
}

/// z with P(|N(0, 1)| > z) = level.
double two_sided(double level) { return std::sqrt(2.0) * at::erfinv(at::tensor({1.0 - level}, at::kDouble)).item<double>(); }

/// Length over the figures of each coordinate, the longest.
double longest(const at::Tensor& change_C, const at::Tensor& law_KQS) {
  return change_C.view({law_KQS.size(1), law_KQS.size(2)}).norm(2, {1}).max().item<double>();
}

std::vector<double> numbers(const at::Tensor& values) {
  const at::Tensor flat = values.contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

std::vector<Fit> fits_over_rates(const std::vector<double>& outer_K, const at::Tensor& centred_KC) {
  const double span = outer_K.back() - outer_K.front();
  const at::Tensor since_K = at::tensor(outer_K, at::kDouble) - outer_K.front();
  std::vector<Fit> fits;
  for (int i = 0; i < kRates; ++i)
    fits.push_back(fit_at(kSlowest / span * std::pow(kFastest / kSlowest, i / (kRates - 1.0)), since_K, centred_KC));
  return fits;
}

/// Upper limit of the share of the open gap that a change closes: its part against the gap. Infinite where no gap stands out of the noise.
double closing_limit(const at::Tensor& change_C, double error, const OpenGap& open) {
  const at::Tensor gap_C = open.gap_QS.reshape({-1});
  const double squared = total(gap_C.square()), open_squared = squared - open.squared_noise;
  if (open_squared <= 0) return std::numeric_limits<double>::infinity();
  return std::max(0.0, (1.96 * error * std::sqrt(squared) - total(change_C * gap_C)) / open_squared);
}

/// What one possible rate says of the time ahead widens the limits.
void widen(Contraction& result, const Fit& fit, double unit, double z, const at::Tensor& law_KQS, const OpenGap& open) {
  const double left = std::exp(-fit.decay * (result.outer_end - result.outer_begin)), gain = left * (1 - left);
  const at::Tensor change_C = fit.amplitude_C * gain;
  const double change = longest(change_C, law_KQS), error = gain * std::sqrt(unit / fit.sxx);
  result.rate_low = std::min(result.rate_low, std::exp(-fit.decay));
  result.rate_high = std::max(result.rate_high, std::exp(-fit.decay));
  result.ahead_low = std::min(result.ahead_low, std::max(0.0, change - z * error));
  result.ahead_high = std::max(result.ahead_high, change + z * error);
  result.closing_high = std::max(result.closing_high, closing_limit(change_C, error, open));
}

}  // namespace

double Contraction::iterations_to(double tolerance) const {
  if (remaining <= tolerance) return 0;
  return rate < 1 ? std::log(remaining / tolerance) / -std::log(rate) : std::numeric_limits<double>::infinity();
}

Contraction fit_contraction(const std::vector<double>& outer_K, const at::Tensor& law_KQS, const OpenGap& open) {
  const auto K = static_cast<std::int64_t>(outer_K.size());
  check<ShapeError>(
      K >= 6 && law_KQS.dim() == 3 && law_KQS.size(0) == K && law_KQS.size(1) > 0 && std::ranges::is_sorted(outer_K) &&
          outer_K.back() > outer_K.front() && open.gap_QS.sizes() == law_KQS.sizes().slice(1),
      "diagnostics: a contraction is fitted to at least 6 evaluations [K, Q, S] at rising outer iterations and a gap [Q, S].");
  const at::Tensor law_KC = law_KQS.to(at::kDouble).reshape({K, -1}), centred_KC = law_KC - law_KC.mean(0);
  const auto C = static_cast<double>(law_KC.size(1));
  const std::vector<Fit> fits = fits_over_rates(outer_K, centred_KC);
  const auto best = std::ranges::min_element(fits, {}, &Fit::rss);
  const bool drifts = best == fits.begin();

  const double freedom = C * (static_cast<double>(K) - 2) - 1, variance = std::max(best->rss / freedom, 1e-30);
  const double unit = variance * inflation(best->residual_KC);
  const double student = 1.96 + 2.4 / freedom;  // 97.5 % point of Student's t, within 3 % from 5 degrees of freedom on
  const double z = two_sided(0.05 / C) * student / 1.96;

  Contraction result;
  result.evaluations = K;
  result.outer_begin = outer_K.front();
  result.outer_end = outer_K.back();
  result.jitter = std::sqrt(variance);
  // Under no movement the sum of squares that C amplitudes and a rate take is about χ² with C + 1 degrees of freedom.
  result.moved = (total(centred_KC.square()) - best->rss) / unit > C + 1 + 2.33 * std::sqrt(2 * (C + 1)) + 2;
  result.remaining = drifts ? std::numeric_limits<double>::infinity()
                            : longest(best->amplitude_C, law_KQS) * std::exp(-best->decay * (result.outer_end - result.outer_begin));
  result.rate = result.rate_low = result.rate_high = std::exp(-best->decay);
  result.ahead_low = std::numeric_limits<double>::infinity();
  result.ahead_high = result.closing_high = 0;
  for (const Fit& fit : fits) {
    // What does not move has no rate: all of them remain possible.
    if (!result.moved || (fit.rss - best->rss) / unit <= student * student) widen(result, fit, unit, z, law_KQS, open);
  }
  if (result.rate_high >= std::exp(-fits.front().decay)) result.rate_high = 1;  // a steady drift
  if (drifts || !result.moved) result.rate = 1;

  const auto most = best->amplitude_C.abs().argmax().item<std::int64_t>();
  result.outer_K = outer_K;
  result.moving_K = numbers(law_KC.select(1, most));
  result.fitted_K = numbers((law_KC - best->residual_KC).select(1, most));
  return result;
}

}  // namespace unchannel::diagnostics
