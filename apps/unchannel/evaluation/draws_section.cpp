#include "draws_section.hpp"

#include <ATen/core/Tensor.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/metrics/draw_accuracy.hpp>
#include <unchannel/scsi/observed_rows.hpp>

namespace unchannel {

std::int64_t draws_of_row(const DatasetReader& reader, std::uint64_t dim) {
  return reader.row_shape().size() > 1 && reader.row_shape()[0] * dim == reader.dim() ? static_cast<std::int64_t>(reader.row_shape()[0]) : 1;
}

nlohmann::json evaluate_draws(const DatasetReader& reader, const at::Tensor& truth_ND) {
  constexpr std::uint64_t kBlockBytes = std::uint64_t{64} << 20;
  const std::int64_t samples = draws_of_row(reader, static_cast<std::uint64_t>(truth_ND.size(1)));
  check<ShapeError>(samples > 1, "{}: holds one signal in a row; draws of a posterior are [S, …].", reader.path().string());
  const auto rows = static_cast<std::uint64_t>(truth_ND.size(0));
  const std::uint64_t block = std::max<std::uint64_t>(1, kBlockBytes / (sizeof(float) * reader.dim()));
  metrics::DrawAccuracy accuracy;
  for (std::uint64_t first = 0; first < rows; first += block) {
    const std::uint64_t count = std::min(block, rows - first);
    const at::Tensor draws_BSD = read_rows(reader, row_range(first, count)).view({static_cast<std::int64_t>(count), samples, truth_ND.size(1)});
    const at::Tensor truth_BD = truth_ND.slice(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(first + count));
    accuracy.add(truth_BD, draws_BSD, metrics::default_metric_key().derive(first));
  }
  const auto estimate = [](const metrics::Estimate& e) { return nlohmann::json{{"value", e.value}, {"standard_error", e.standard_error}}; };
  return {{"samples", samples},
          {"mean_rmse_data_units", estimate(accuracy.mean_rmse())},
          {"spread_data_units", accuracy.spread()},
          {"coverage_50", estimate(accuracy.coverage_50())},
          {"coverage_90", estimate(accuracy.coverage_90())}};
}

void print_draws(const nlohmann::json& draws) {
  const auto number = [&](const char* name, const char* part) { return draws.at(name).at(part).get<double>(); };
  fmt::print("{} draws an object: RMSE of their mean {:.4f} ± {:.4f}, spread {:.4f}; 50 % intervals hold {:.1f} ± {:.1f} % of the truth, 90 % {:.1f} ± {:.1f} %.\n",
             draws.at("samples").get<std::int64_t>(), number("mean_rmse_data_units", "value"), number("mean_rmse_data_units", "standard_error"),
             draws.at("spread_data_units").get<double>(), 100 * number("coverage_50", "value"), 100 * number("coverage_50", "standard_error"),
             100 * number("coverage_90", "value"), 100 * number("coverage_90", "standard_error"));
}

}  // namespace unchannel
