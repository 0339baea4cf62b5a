#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/observed_rows.hpp>

// Shape legend: N rows · D data dimension · Q coordinates · J shapes · R replicas
namespace unchannel::diagnostics {

/// Fewer rows of a set are not tested.
constexpr std::int64_t kLeastRows = 32;

/// Φ(y): restorations [N, D] of lifted observations, given the latents that the model sees.
using Restore = std::function<at::Tensor(const at::Tensor& y_ND, const Latents& visible, RandomKey key, const at::Tensor& ids_N)>;

/// What is tested: a channel, a trained restoration, and three sets of observations that share no row.
struct GapTestCase {
  const Channel& channel;
  Restore restore;
  ObservationBatch known;       ///< training rows: they choose where to look, and their restorations are the learnt law
  ObservationBatch early_stop;  ///< y_A
  ObservationBatch test;        ///< y_B, used once
  std::int64_t training_rows;   ///< as many as the restoration was trained on
  RandomKey key;
};

/// A figure of a sample of lifted observations [N, D] that is compared beside the gap.
using SampleFigure = std::function<double(const at::Tensor& rows_ND)>;

struct GapTestOptions {
  double margin = 0.1;
  std::int64_t replicas = 99;                       ///< R ≥ 20
  std::function<void(std::int64_t)> progress = {};  ///< called with the number of replicas done; may be empty
  SampleFigure figure = {};                         ///< may be empty
};

/// A sample figure of F(Φ(y_A)) and F(Φ(y_B)), averaged, and of y_B and y_A.
struct ComparedFigure {
  double simulated = 0, observed = 0;
};

/// The gap between F(Φ(y_A)) and y_B, and between F(Φ(y_B)) and y_A, averaged, beside what it would be if the learnt law were the truth and
/// the simulator right. Effects are in shares of the observations' spread, per coordinate that takes part. docs/theory/verdict.md, (4) to
/// (7).
struct GapTest {
  double gap = 0;          ///< along the directions that training rows chose
  double fit_gap = 0;      ///< the same in the simulated worlds, mean: the error of the fit itself
  double excess = 0;       ///< gap − fit_gap
  double error = 0;        ///< standard deviation of the gap between simulated worlds
  double p_value = 1;      ///< (1 + #{worlds with a gap as large})/(1 + R)
  double power = 0;        ///< share of worlds in which a difference of exactly the margin in one coordinate would have p < 0.05
  double coordinates = 1;  ///< how many coordinates take part
  ComparedFigure figure = {};                 ///< of the data; zeros without options.figure
  std::vector<ComparedFigure> figure_worlds = {};  ///< of the simulated worlds
  double held_out_rows = 0, world_rows = 0;   ///< A + B in the data and, fewer, in a world
};

/// Throws ShapeError (fewer than kLeastRows valid rows in a set), ConfigError (replicas), NumericalError (restorations that are not
/// finite), what the channel throws.
GapTest test_gap(const GapTestCase& test, const GapTestOptions& options);

/// Share of R simulated worlds in which the whole procedure finds a difference of exactly `margin`: in the width of one coordinate,
/// narrower and wider in turn, added to the contrast of that world and, with the sampling noise `standard_error` of training rows, to the
/// one that the filter is chosen from.
double detection_power(const at::Tensor& contrast_RQJ, double standard_error, double margin, RandomKey key);

}  // namespace unchannel::diagnostics
