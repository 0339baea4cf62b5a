// derivative-dot: vjp, jvp and adjoint against mean, all by dot products in double.
#include <cmath>
#include <numeric>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

constexpr double kStep = 0.02;          // x is of order 1
constexpr double kFloat = 6e-8;         // half a unit in the last place of float32
constexpr double kMostRelative = 2e-3;  // of |cotangent| |derivative|, beside the finite difference's own error
constexpr double kMostAdjoint = 2e-5;   // two exact linear maps in float32, sums over up to 1e5 elements

double dot(const float* a, const float* b, std::int64_t size) {
  return std::inner_product(a, a + size, b, 0.0, std::plus<>(), [](float u, float v) { return double{u} * v; });
}
double norm(const float* a, std::int64_t size) { return std::sqrt(dot(a, a, size)); }

std::vector<float> mean_at(const Instance& instance, const Batch& batch, double step) {
  Batch moved = batch;
  for (std::size_t i = 0; i < moved.x.size(); ++i) moved.x[i] += static_cast<float>(step) * moved.tangent[i];
  const CallResult mean = call_ok(instance, Operation::mean, moved);
  return {mean.floats(), mean.floats() + moved.y.size()};
}

/// (mean(x + h t) − mean(x − h t)) / 2h by two steps, combined so that the error is O(h⁴), and an estimate of what is left.
struct Difference {
  std::vector<float> value;
  std::vector<double> error;  ///< for each sample, of the norm
};

Difference finite_difference(const Instance& instance, const Batch& batch) {
  const auto plus = mean_at(instance, batch, kStep), minus = mean_at(instance, batch, -kStep);
  const auto plus_half = mean_at(instance, batch, kStep / 2), minus_half = mean_at(instance, batch, -kStep / 2);
  const auto width = static_cast<std::size_t>(instance.layout().y_size);
  Difference result{std::vector<float>(plus.size()), std::vector<double>(batch.ids.size())};
  for (std::size_t i = 0; i < plus.size(); ++i) {
    const double whole = (double{plus[i]} - minus[i]) / (2 * kStep), half = (double{plus_half[i]} - minus_half[i]) / kStep;
    result.value[i] = static_cast<float>((4 * half - whole) / 3);
    const double rounding = 3 * kFloat * (std::abs(double{plus_half[i]}) + std::abs(double{minus_half[i]})) / kStep;
    const double curvature = std::abs(half - whole) / 3;
    result.error[i / width] += (rounding + curvature) * (rounding + curvature);
  }
  for (double& error : result.error) error = std::sqrt(error);
  return result;
}

void expect_equal(double got, double wanted, double tolerance, const std::string& what) {
  check<CheckFailed>(std::abs(got - wanted) <= tolerance, "{}: {:.7g} and {:.7g} differ by more than {:.2g}.", what, got, wanted,
                     tolerance);
}

struct Sizes {
  std::int64_t x, y;
};

void check_vjp(const Instance& instance, const Batch& batch, const Difference& difference, Sizes n) {
  const CallResult vjp = call_ok(instance, Operation::vjp, batch);
  for (std::int64_t i = 0; i < batch.count(); ++i) {
    const float *v = batch.cotangent.data() + i * n.y, *jt = difference.value.data() + i * n.y;
    const double scale = norm(v, n.y) * (norm(jt, n.y) * kMostRelative / std::sqrt(static_cast<double>(n.y)) +
                                         difference.error[static_cast<std::size_t>(i)]);
    expect_equal(dot(vjp.floats() + i * n.x, batch.tangent.data() + i * n.x, n.x), dot(v, jt, n.y), 4 * scale + 1e-7,
                 "vjp: <vjp(v), t> and <v, finite difference of mean along t>");
  }
}

void check_jvp(const Instance& instance, const Batch& batch, const Difference& difference, Sizes n) {
  const CallResult jvp = call_ok(instance, Operation::jvp, batch);
  for (std::int64_t i = 0; i < batch.count(); ++i) {
    const float *got = jvp.floats() + i * n.y, *wanted = difference.value.data() + i * n.y;
    double square = 0;
    for (std::int64_t j = 0; j < n.y; ++j) square += (double{got[j]} - wanted[j]) * (double{got[j]} - wanted[j]);
    const double tolerance = kMostRelative * norm(wanted, n.y) + 2 * difference.error[static_cast<std::size_t>(i)] + 1e-7;
    check<CheckFailed>(std::sqrt(square) <= tolerance,
                       "jvp: its distance from the finite difference of mean is {:.3g}; at most {:.3g} is due.", std::sqrt(square),
                       tolerance);
  }
}

/// mean(x) = A x + constant, so <v, mean(x) − mean(0)> = <adjoint(v), x>.
void check_adjoint(const Instance& instance, const Batch& batch, Sizes n) {
  Batch zero = batch;
  std::fill(zero.x.begin(), zero.x.end(), 0.0F);
  const CallResult at_x = call_ok(instance, Operation::mean, batch), at_zero = call_ok(instance, Operation::mean, zero);
  const CallResult adjoint = call_ok(instance, Operation::adjoint, batch);
  for (std::int64_t i = 0; i < batch.count(); ++i) {
    const float* v = batch.cotangent.data() + i * n.y;
    const float *x = batch.x.data() + i * n.x, *back = adjoint.floats() + i * n.x;
    const double forward = dot(v, at_x.floats() + i * n.y, n.y) - dot(v, at_zero.floats() + i * n.y, n.y);
    const double scale = norm(v, n.y) * norm(at_x.floats() + i * n.y, n.y) + norm(back, n.x) * norm(x, n.x);
    expect_equal(dot(back, x, n.x), forward, kMostAdjoint * scale + 1e-7, "adjoint: <adjoint(v), x> and <v, mean(x) − mean(0)>");
  }
}

}  // namespace

void check_derivative_dot(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const auto has = [&](const char* id) { return instance->extension<void>(id) != nullptr; };
  const bool any = has(UNCHANNEL_VJP_1) || has(UNCHANNEL_JVP_1) || has(UNCHANNEL_ADJOINT_1);
  if (!any) throw CheckSkipped("the channel offers none of vjp/1, jvp/1 and adjoint/1.");
  check<CheckFailed>(has(UNCHANNEL_MEAN_1), "derivatives of mean are offered, and mean/1 is not.");
  const Batch batch = make_batch(*instance, sample_count(instance->layout(), 6));
  const Sizes sizes{instance->layout().x_size, instance->layout().y_size};
  const Difference difference = finite_difference(*instance, batch);
  if (has(UNCHANNEL_VJP_1)) check_vjp(*instance, batch, difference, sizes);
  if (has(UNCHANNEL_JVP_1)) check_jvp(*instance, batch, difference, sizes);
  if (has(UNCHANNEL_ADJOINT_1)) check_adjoint(*instance, batch, sizes);
  const std::string made_up = made_up_latents(*instance);
  if (!made_up.empty()) detail["note"] = made_up;
}

}  // namespace unchannel::conformance
