#include "gap_test.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/scsi/training_batch.hpp>

#include "law_contrast.hpp"

namespace unchannel::diagnostics {
namespace {

constexpr std::int64_t kResamples = 4;  // simulations of each restoration: their noise then hardly counts, and they cost no transport

/// Observations with the latents that belong to them.
struct Observed {
  at::Tensor y_ND;
  Latents latents;
  at::Tensor weight_N;  ///< 0 where the channel failed; may be undefined
};

Latents latents_at(const Latents& latents, const at::Tensor& index_N) {
  Latents part;
  for (const auto& [name, values] : latents) part.emplace(name, values.index_select(0, index_N));
  return part;
}

Observed simulate(const GapTestCase& test, const at::Tensor& x_ND, const Latents& own, RandomKey key, const at::Tensor& ids_N) {
  const FailureWatch watch(test.channel);
  Latents used;
  Observed result;
  result.y_ND = simulate_with_sources(test.channel, x_ND, own, own, key, ids_N, &used);
  result.weight_N = watch.weight_B(x_ND.size(0));
  for (const LatentSpec& spec : test.channel.latents()) {
    if (spec.source != LatentSource::kFresh || spec.visible) result.latents.emplace(spec.name, used.at(spec.name));
  }
  return result;
}

at::Tensor restore(const GapTestCase& test, const Observed& observed, RandomKey key) {
  const at::Tensor x_ND = test.restore(observed.y_ND, visible_latents(test.channel, observed.latents), key.derive(Purpose::kTransportNoise),
                                       at::arange(observed.y_ND.size(0), at::kLong));
  check<NumericalError>(valid_rows(x_ND, observed.weight_N).isfinite().all().item<bool>(),
                        "diagnostics: restorations hold NaN or infinity; the training diverged. Lower optimiser.learning_rate.");
  return x_ND;
}

/// F(x) of restorations, `times` each with fresh noise: the valid rows.
at::Tensor simulate_again(const GapTestCase& test, const at::Tensor& x_ND, const Observed& observed, std::int64_t times, RandomKey key) {
  std::vector<at::Tensor> parts;
  for (std::int64_t time = 0; time < times; ++time) {
    const at::Tensor ids_N = at::arange(time * x_ND.size(0), (time + 1) * x_ND.size(0), at::kLong);
    const Observed again = simulate(test, x_ND, observed.latents, key, ids_N);
    parts.push_back(valid_rows(again.y_ND, both_weights(observed.weight_N, again.weight_N)));
  }
  return at::cat(parts);
}

Observed observed_of(const ObservationBatch& batch) { return {batch.lifted_BD, batch.latents, batch.weight_B}; }

/// Signals of the learnt law, and the latents of the rows they were restored from.
struct LearntLaw {
  at::Tensor x_ND;
  Latents latents;
};

/// What is measured of a sample: coordinates for the contrast, and a figure.
struct Yardstick {
  const ContrastCoordinates& coordinates;
  const SampleFigure& figure;
};

struct Crossed {
  at::Tensor contrast_QJ;
  ComparedFigure figure;
};

/// Mean of the contrasts of F(Φ(y_A)) with y_B and of F(Φ(y_B)) with y_A. Never a row with itself; what two samples differ by chance enters
/// both with opposite signs and drops out as far as restorations follow their observations.
Crossed crossed(const GapTestCase& test, const Yardstick& yardstick, const Observed& a, const Observed& b, RandomKey key) {
  const auto again = [&](const Observed& from, RandomKey own) {
    return simulate_again(test, restore(test, from, own.derive(1)), from, kResamples, own.derive(2));
  };
  const at::Tensor again_a_ND = again(a, key.derive(1)), again_b_ND = again(b, key.derive(2));
  const at::Tensor a_ND = valid_rows(a.y_ND, a.weight_N), b_ND = valid_rows(b.y_ND, b.weight_N);
  const ContrastCoordinates& z = yardstick.coordinates;
  Crossed result{0.5 * (quantile_contrast(z(again_a_ND), z(b_ND)) + quantile_contrast(z(again_b_ND), z(a_ND))), {}};
  if (const SampleFigure& figure = yardstick.figure) {
    result.figure = {0.5 * (figure(again_a_ND) + figure(again_b_ND)), 0.5 * (figure(a_ND) + figure(b_ND))};
  }
  return result;
}

Observed rows_between(const Observed& rows, std::int64_t begin, std::int64_t end) {
  Observed part{rows.y_ND.slice(0, begin, end), latents_at(rows.latents, at::arange(begin, end, at::kLong)), {}};
  if (rows.weight_N.defined()) part.weight_N = rows.weight_N.slice(0, begin, end);
  return part;
}

/// The same in a world where x̂ are true signals, of which A and B rows are observed.
Crossed simulated_world(const GapTestCase& test, const LearntLaw& law, const Yardstick& yardstick, std::int64_t A, std::int64_t B,
                        RandomKey key) {
  const at::Tensor index_N = draw_indices(key.derive(1), 0, 0, A + B, law.x_ND.size(0));
  const Observed world =
      simulate(test, law.x_ND.index_select(0, index_N), latents_at(law.latents, index_N), key.derive(2), at::arange(A + B, at::kLong));
  return crossed(test, yardstick, rows_between(world, 0, A), rows_between(world, A, A + B), key.derive(3));
}

/// Number of worlds that may have a gap as large at p < 0.05.
std::int64_t allowed_at_five_percent(std::int64_t worlds) {
  return static_cast<std::int64_t>(std::ceil(0.05 * static_cast<double>(worlds + 1))) - 2;
}

}  // namespace

double detection_power(const at::Tensor& contrast_RQJ, double standard_error, double margin, RandomKey key) {
  const std::int64_t R = contrast_RQJ.size(0), Q = contrast_RQJ.size(1), J = contrast_RQJ.size(2);
  // The R-th largest gap that is still significant; a world is compared with all, its own undisturbed self among them.
  const std::int64_t rank = R - 1 - std::max<std::int64_t>(0, allowed_at_five_percent(R));
  std::int64_t found = 0;
  for (std::int64_t r = 0; r < R; ++r) {
    at::Tensor noise_QJ = at::empty({Q, J}, at::kFloat);
    key.normal(static_cast<std::uint64_t>(r), 0, static_cast<std::uint32_t>(Q * J), noise_QJ.mutable_data_ptr<float>());
    at::Tensor seen_QJ = standard_error * noise_QJ.to(at::kDouble), here_QJ = contrast_RQJ.select(0, r).clone();
    const double difference = r % 2 == 0 ? margin : -margin;
    seen_QJ.select(0, r % Q).select(0, 1).add_(difference);
    here_QJ.select(0, r % Q).select(0, 1).add_(difference);
    const ContrastFilter filter = choose_filter(seen_QJ, standard_error);
    const at::Tensor sorted_R = std::get<0>((contrast_RQJ * filter.weight_QJ).sum({1, 2}).sort());
    if (filter.along(here_QJ) > sorted_R[rank].item<double>()) ++found;
  }
  return static_cast<double>(found) / static_cast<double>(R);
}

GapTest test_gap(const GapTestCase& test, const GapTestOptions& options) {
  const at::NoGradGuard no_grad;
  check<ConfigError>(options.replicas >= 20, "diagnostics: verdict.replicas = {}: no p-value below 0.05 can come of fewer than 20.",
                     options.replicas);
  const Observed known = observed_of(test.known), early_stop = observed_of(test.early_stop), held_out = observed_of(test.test);
  const at::Tensor known_ND = valid_rows(known.y_ND, known.weight_N);
  for (const Observed* rows : {&known, &early_stop, &held_out}) {
    check<ShapeError>(valid_rows(rows->y_ND, rows->weight_N).size(0) >= kLeastRows,
                      "diagnostics: the gap is tested with at least {} rows of each split.", kLeastRows);
  }

  const at::Tensor x_known_ND = restore(test, known, test.key.derive(1));
  const at::Tensor again_ND = simulate_again(test, x_known_ND, known, 1, test.key.derive(2));
  const ContrastCoordinates coordinates(known_ND, again_ND);
  const double seen_error = std::sqrt(1.0 / static_cast<double>(known_ND.size(0)) + 1.0 / static_cast<double>(again_ND.size(0)));
  const ContrastFilter filter = choose_filter(quantile_contrast(coordinates(again_ND), coordinates(known_ND)), seen_error);
  const Yardstick yardstick{coordinates, options.figure};
  const Crossed data = crossed(test, yardstick, early_stop, held_out, test.key.derive(3));
  const double observed = filter.along(data.contrast_QJ);

  // The fit follows its training rows, whose chance the simulated worlds do not repeat: there are fewer held-out rows in these, as many as
  // give the same scatter, 1/N' = 1/N + 1/(training rows).
  const std::int64_t A = early_stop.y_ND.size(0), B = held_out.y_ND.size(0);
  const auto fewer = [&](std::int64_t rows) {
    const auto trained = static_cast<double>(test.training_rows);
    return std::max<std::int64_t>(kLeastRows, std::llround(static_cast<double>(rows) * trained / (trained + static_cast<double>(A + B))));
  };
  const at::Tensor valid_N = known.weight_N.defined() ? known.weight_N.nonzero().squeeze(1) : at::arange(x_known_ND.size(0), at::kLong);
  const LearntLaw law{x_known_ND.index_select(0, valid_N), latents_at(known.latents, valid_N)};
  GapTest result;
  std::vector<at::Tensor> contrasts;
  for (std::int64_t r = 0; r < options.replicas; ++r) {
    const RandomKey key = test.key.derive(4).derive(static_cast<std::uint64_t>(r));
    const Crossed world = simulated_world(test, law, yardstick, fewer(A), fewer(B), key);
    contrasts.push_back(world.contrast_QJ);
    result.figure_worlds.push_back(world.figure);
    if (options.progress) options.progress(r + 1);
  }
  const at::Tensor contrast_RQJ = at::stack(contrasts), gap_R = (contrast_RQJ * filter.weight_QJ).sum({1, 2});

  result.figure = data.figure;
  result.held_out_rows = static_cast<double>(A + B);
  result.world_rows = static_cast<double>(fewer(A) + fewer(B));
  const double unit = std::sqrt(filter.coordinates);
  result.coordinates = filter.coordinates;
  result.gap = observed / unit;
  result.fit_gap = gap_R.mean().item<double>() / unit;
  result.excess = result.gap - result.fit_gap;
  result.error = gap_R.std().item<double>() / unit;
  result.p_value =
      (1.0 + static_cast<double>(gap_R.ge(observed).sum().item<std::int64_t>())) / (1.0 + static_cast<double>(options.replicas));
  result.power = detection_power(contrast_RQJ, seen_error, options.margin, test.key.derive(5));
  return result;
}

}  // namespace unchannel::diagnostics
