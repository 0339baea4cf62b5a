#include "recoverability.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/linalg_eigh.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/metrics/whitened_coordinates.hpp>
#include <unchannel/scsi/training_batch.hpp>

// Further letters: H rows of a half · Q coordinates
namespace unchannel::diagnostics {
namespace {

constexpr std::int64_t kLastRank = 64;
constexpr std::int64_t kCoordinates = 256;
constexpr double kKnownSpread = 0.1;
constexpr double kRounding = 1e-6;  // of a log variance of float32 observations

/// At most `count` ranks from 1 to `last`, geometrically spaced.
std::vector<std::int64_t> spaced_ranks(std::int64_t last, std::int64_t count) {
  std::vector<std::int64_t> ranks;
  for (std::int64_t i = 0; i < count; ++i) {
    const double share = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.0;
    const auto rank =
        std::max(static_cast<std::int64_t>(std::llround(std::pow(static_cast<double>(last), share))), ranks.empty() ? 1 : ranks.back() + 1);
    if (rank <= last) ranks.push_back(rank);
  }
  return ranks;
}

/// Observations in whitened coordinates when signals are drawn apart and together, and the signals' places along the direction.
struct Response {
  at::Tensor apart_NQ, together_NQ, place_N;

  Response half(int which) const {
    const std::int64_t begin = which * (place_N.size(0) / 2), end = begin + place_N.size(0) / 2;
    return {apart_NQ.slice(0, begin, end), together_NQ.slice(0, begin, end), place_N.slice(0, begin, end)};
  }
};

double log_variance(const at::Tensor& values_H) { return std::log(std::max(values_H.var().item<double>(), 1e-300)); }

/// ln V₊ − ln V₋ along a direction.
double change_along(const Response& response, const at::Tensor& direction_Q) {
  return log_variance(response.apart_NQ.matmul(direction_Q)) - log_variance(response.together_NQ.matmul(direction_Q));
}

at::Tensor covariance(const at::Tensor& rows_HQ) {
  const at::Tensor centred_HQ = rows_HQ - rows_HQ.mean(0);
  return centred_HQ.t().matmul(centred_HQ) / static_cast<double>(rows_HQ.size(0));
}

/// The direction in which the observations respond most: the linear response to the place along v, or where that is weaker (a channel that
/// forgets the sign) the leading direction of the covariance's change.
at::Tensor responding_direction(const Response& response) {
  const at::Tensor linear_Q = (response.apart_NQ - response.together_NQ).t().matmul(response.place_N);
  const auto [values_Q, vectors_QQ] = at::linalg_eigh(covariance(response.apart_NQ) - covariance(response.together_NQ));
  const at::Tensor leading_Q = vectors_QQ.select(1, values_Q.abs().argmax().item<std::int64_t>());
  return std::abs(change_along(response, linear_Q)) >= std::abs(change_along(response, leading_Q)) ? linear_Q : leading_Q;
}

/// Standard error of `change_along`, from the scatter of what each row adds; pairs share their random numbers.
double change_error(const Response& response, const at::Tensor& direction_Q) {
  const auto share = [&](const at::Tensor& rows_HQ) {
    const at::Tensor y_H = rows_HQ.matmul(direction_Q), centred_H = y_H - y_H.mean();
    return centred_H.square() / centred_H.square().mean().clamp_min(1e-300);
  };
  return (share(response.apart_NQ) - share(response.together_NQ)).std().item<double>() /
         std::sqrt(static_cast<double>(response.place_N.size(0)));
}

}  // namespace

std::vector<RecoverableDirection> probe_recoverability(const Channel& channel, const at::Tensor& x_ND, const Latents& own,
                                                       std::int64_t rows, RandomKey key, const ProbeOptions& options) {
  const at::NoGradGuard no_grad;
  check<ShapeError>(x_ND.dim() == 2 && x_ND.size(0) >= kLeastProbes,
                    "diagnostics: recoverability is probed with at least {} signals [N, D].", kLeastProbes);
  check<ConfigError>(options.directions >= 1 && options.stretch > 1 && rows >= 1,
                     "diagnostics: probing needs a direction, a stretch above 1 and a row.");
  const std::int64_t N = x_ND.size(0), D = x_ND.size(1), last = std::min({kLastRank, D, N / 8});
  const at::Tensor x = x_ND.to(at::kDouble), centred_ND = x - x.mean(0), directions_DK = metrics::principal_directions(centred_ND, last);
  const at::Tensor ids_N = at::arange(N, at::kLong);
  at::Tensor weight_N;
  const auto simulate = [&](const at::Tensor& signals_ND) {
    const FailureWatch watch(channel);
    const at::Tensor y_ND = simulate_with_sources(channel, signals_ND.to(at::kFloat), own, own, key, ids_N, nullptr);
    weight_N = both_weights(weight_N, watch.weight_B(N));
    return y_ND;
  };
  const at::Tensor plain_ND = simulate(x);
  const metrics::WhitenedCoordinates coordinates(valid_rows(plain_ND, weight_N), kCoordinates);
  std::vector<RecoverableDirection> result;
  for (const std::int64_t rank : spaced_ranks(last, options.directions)) {
    const at::Tensor v_D = directions_DK.select(1, last - rank), place_N = centred_ND.matmul(v_D);
    const auto stretched = [&](double factor) { return simulate(x + (factor - 1) * place_N.unsqueeze(1) * v_D); };
    const at::Tensor apart_ND = stretched(options.stretch), together_ND = stretched(1 / options.stretch);
    const Response response{coordinates(valid_rows(apart_ND, weight_N)), coordinates(valid_rows(together_ND, weight_N)),
                            valid_rows(place_N, weight_N)};
    double change = 0, variance = 0;
    for (const int half : {0, 1}) {
      const at::Tensor direction_Q = responding_direction(response.half(1 - half));
      change += change_along(response.half(half), direction_Q) / 2;
      variance += std::pow(change_error(response.half(half), direction_Q) / 2, 2);
    }
    RecoverableDirection direction;
    direction.rank = rank;
    direction.spread = place_N.std().item<double>();
    direction.condition_is_bound = std::abs(change) <= 2 * std::sqrt(variance);
    const double seen = direction.condition_is_bound ? std::abs(change) + 2 * std::sqrt(variance) : std::abs(change);
    direction.condition = std::max(1.0, std::pow(4 * std::log(options.stretch) / std::max(seen, kRounding), 2));
    direction.spread_error = std::sqrt(direction.condition / (2 * static_cast<double>(rows)));
    direction.data_determined = !direction.condition_is_bound && direction.spread_error <= kKnownSpread;
    result.push_back(direction);
  }
  return result;
}

}  // namespace unchannel::diagnostics
