// loglik-score.
#include <cmath>
#include <numeric>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

constexpr double kStep = 4e-3;
constexpr std::int64_t kDraws = 4000;
constexpr double kMostSigmas = 5;  // P = 6e-7 for each of the few directions; the keys are fixed

struct Loglik {
  std::vector<double> value;
  std::vector<float> gradient;
  std::vector<bool> usable;
};

Loglik loglik_of(const Instance& instance, const Batch& batch) {
  const CallResult result = call_ok(instance, Operation::loglik, batch);
  Loglik loglik;
  loglik.gradient.assign(result.floats(0), result.floats(0) + batch.x.size());
  const auto* values = reinterpret_cast<const double*>(result.outputs[1].bytes.data());
  loglik.value.assign(values, values + batch.count());
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    loglik.usable.push_back(result.sample_status[i] == UNCHANNEL_SAMPLE_OK && std::isfinite(values[i]));
  }
  return loglik;
}

double along(const float* gradient, const float* direction, std::int64_t size) {
  return std::inner_product(gradient, gradient + size, direction, 0.0, std::plus<>(), [](float u, float v) { return double{u} * v; });
}

/// The log likelihoods at x + step · tangent, and the step that was really made in float32 is close enough to it.
std::vector<double> values_at(const Instance& instance, const Batch& batch, double step) {
  Batch moved = batch;
  for (std::size_t i = 0; i < moved.x.size(); ++i) moved.x[i] += static_cast<float>(step) * moved.tangent[i];
  return loglik_of(instance, moved).value;
}

/// Central differences of two steps, extrapolated to O(h⁴). The tolerance holds what that leaves, and what float32 x and mean do to a sum
/// of squares.
int check_gradient(const Instance& instance, const Batch& batch) {
  const Loglik here = loglik_of(instance, batch);
  const auto plus = values_at(instance, batch, kStep), minus = values_at(instance, batch, -kStep);
  const auto plus_half = values_at(instance, batch, kStep / 2), minus_half = values_at(instance, batch, -kStep / 2);
  const std::int64_t size = instance.layout().x_size;
  int compared = 0;
  for (std::size_t i = 0; i < here.value.size(); ++i) {
    if (!here.usable[i]) continue;
    const auto row = static_cast<std::int64_t>(i) * size;
    const double got = along(here.gradient.data() + row, batch.tangent.data() + row, size);
    const double whole = (plus[i] - minus[i]) / (2 * kStep), half = (plus_half[i] - minus_half[i]) / kStep;
    const double wanted = (4 * half - whole) / 3;
    const double length = std::sqrt(along(here.gradient.data() + row, here.gradient.data() + row, size));
    const double tolerance = 5e-3 * std::abs(wanted) + std::abs(half - whole) + 5e-3 * length + 1e-5 * std::abs(here.value[i]) + 1e-6;
    check<CheckFailed>(std::abs(got - wanted) <= tolerance,
                       "the gradient of sample {} along a direction is {:.6g}; finite differences of loglik give {:.6g} (± {:.2g}).", i,
                       got, wanted, tolerance);
    ++compared;
  }
  return compared;
}

/// E over y ~ p(y | x) of d log p / d x is zero: the mean of the gradient along fixed directions, in standard errors.
double check_score(const Instance& instance, const Batch& one) {
  const std::int64_t size = instance.layout().x_size, count = sample_count(instance.layout(), 500);
  constexpr int kDirections = 3;
  std::vector<double> sum(kDirections, 0.0), squares(kDirections, 0.0);
  double used = 0, worst = 0;
  for (std::int64_t done = 0; done < kDraws; done += count) {
    Batch batch = one.rows(instance.layout(), std::vector<std::size_t>(static_cast<std::size_t>(count), 0));
    std::iota(batch.ids.begin(), batch.ids.end(), static_cast<std::uint64_t>(done));
    const CallResult y = call_ok(instance, Operation::simulate, batch);
    batch.y.assign(y.floats(), y.floats() + batch.y.size());
    const Loglik loglik = loglik_of(instance, batch);
    for (std::int64_t i = 0; i < count; ++i) {
      if (!loglik.usable[static_cast<std::size_t>(i)]) continue;
      ++used;
      for (int d = 0; d < kDirections; ++d) {
        const double score = along(loglik.gradient.data() + i * size, one.tangent.data() + d * size, size);
        sum[static_cast<std::size_t>(d)] += score;
        squares[static_cast<std::size_t>(d)] += score * score;
      }
    }
  }
  check<CheckFailed>(used > 1, "loglik is not finite for any observation that simulate draws.");
  for (std::size_t d = 0; d < kDirections; ++d) {
    const double mean = sum[d] / used, variance = squares[d] / used - mean * mean;
    if (variance <= 0) continue;
    worst = std::max(worst, std::abs(mean) / std::sqrt(variance / used));
  }
  check<CheckFailed>(
      worst < kMostSigmas,
      "the gradient's mean over simulated observations is {:.1f} standard errors from zero, so loglik is not the density that "
      "simulate draws from.",
      worst);
  return worst;
}

}  // namespace

void check_loglik_score(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  if (!instance->extension<void>(UNCHANNEL_LOGLIK_1)) throw CheckSkipped("the channel offers no loglik/1 in this configuration.");
  const Batch batch = make_batch(*instance, 6);
  check<CheckFailed>(check_gradient(*instance, batch) > 0, "loglik is not finite for any of the observations that simulate draws.");
  detail["score_standard_errors"] = check_score(*instance, batch);
  const std::string made_up = made_up_latents(*instance);
  if (!made_up.empty()) detail["note"] = made_up;
}

}  // namespace unchannel::conformance
