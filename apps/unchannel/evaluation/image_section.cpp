#include "image_section.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <unchannel/report/image_grid.hpp>

#include "method_names.hpp"
#include "observed_elements.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kColumns = 8;

/// First, last and what lies evenly between: the choice is fixed before anything is restored.
std::vector<std::int64_t> shown_rows(std::int64_t objects) {
  const std::int64_t columns = std::min(kColumns, objects);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < columns; ++i) rows.push_back(columns == 1 ? 0 : i * (objects - 1) / (columns - 1));
  return rows;
}

/// The truth's range; without a truth that of the restorations but for 1 % at either end.
report::ValueRange range_of(const ReportObjects& objects, const std::vector<report::MethodResult>& methods) {
  if (objects.truth_ND.defined()) return report::drawn_range(objects.truth_ND);
  for (const report::MethodResult& method : methods) {
    if (method.name != method_names::kScsi) continue;
    const at::Tensor sorted = std::get<0>(method.restored_ND.flatten().sort());
    const std::int64_t tail = sorted.numel() / 100;
    return report::drawn_range(sorted.slice(0, tail, sorted.numel() - tail));
  }
  return {};
}

report::ImageGrid grid_of(const ReportObjects& objects, const std::vector<report::MethodResult>& methods,
                          const std::vector<std::string>& others, const at::Tensor& observed_NM, const at::Tensor& shown_C,
                          const std::vector<std::int64_t>& image_shape) {
  report::ImageGrid grid;
  std::vector<std::int64_t> shape = {-1};
  shape.insert(shape.end(), image_shape.begin(), image_shape.end());
  const auto add_row = [&](const std::string& label, const at::Tensor& images_ND) {
    grid.rows.push_back({label, images_ND.index_select(0, shown_C).reshape(shape)});
  };
  const auto add_method = [&](const std::string& name, const std::string& label) {
    for (const report::MethodResult& method : methods) {
      // A start that is the observation itself would be the first row again.
      if (method.name == name && method.restored_ND.defined() && !method.restored_ND.equal(observed_as_signals(objects.batch))) add_row(label, method.restored_ND);
    }
  };
  add_row(method_names::kObserved, without_unobserved(observed_as_signals(objects.batch), observed_NM));
  add_method(method_names::kStart, method_names::kStart);
  add_method(method_names::kScsi, "restored");
  add_method(method_names::kOracle, method_names::kOracle);
  for (const std::string& name : others) add_method(name, name);
  if (objects.truth_ND.defined()) add_row("truth", objects.truth_ND);
  const auto [low, high] = range_of(objects, methods);
  grid.low = low;
  grid.high = high;
  grid.description = fmt::format("Examples of images: {} rows of {}", grid.rows.size(), shown_C.size(0));
  return grid;
}

std::string caption(const ReportObjects& objects, const report::ImageGrid& grid, const std::vector<std::int64_t>& ids,
                    const at::Tensor& observed_NM, const std::vector<std::int64_t>& image_shape) {
  std::string text =
      fmt::format("{} of the {} objects, evenly spread over the file and not selected ({} {}), from top to bottom: ", ids.size(),
                  objects.size(), objects.has_object_ids() ? "object_id" : "row", fmt::join(ids, ", "));
  for (std::size_t row = 0; row < grid.rows.size(); ++row) text += fmt::format("{}{}", row == 0 ? "" : ", ", grid.rows[row].label);
  text += fmt::format(". Values from {:.4g} to {:.4g} [data units] are drawn black to white, others clamped; pixels are enlarged {} times",
                      grid.low, grid.high, report::enlargement(image_shape[1], image_shape[2]));
  if (image_shape[0] != 1 && image_shape[0] != 3) text += fmt::format("; the first of {} planes is drawn", image_shape[0]);
  if (observed_NM.defined() && observed_NM.sizes() == objects.batch.lifted_BD.sizes())
    text += "; pixels that were not observed are middle grey";
  if (objects.batch.raw_BM.sizes() != objects.batch.lifted_BD.sizes()) text += "; the observations are lifted to the signal's grid";
  return text +
         ". A restoration is the transport of the observation; it is one signal that the run holds likely, not an average over all that "
         "fit.";
}

}  // namespace

std::vector<std::int64_t> image_shape_of(const std::vector<std::int64_t>& signal_shape) {
  return signal_shape.size() == 3 ? signal_shape : std::vector<std::int64_t>{};
}

nlohmann::json add_image_section(report::HtmlPage& page, const ReportObjects& objects, const std::vector<report::MethodResult>& methods,
                                 const std::vector<std::string>& others, const at::Tensor& observed_NM,
                                 const std::vector<std::int64_t>& image_shape) {
  page.section("Images");
  page.paragraph(data_in_words(objects));
  if (std::max(image_shape[1], image_shape[2]) > report::kLargestGridImage) {
    page.paragraph(fmt::format("Images of {} x {} pixels are not drawn; at most {} on a side are.", image_shape[1], image_shape[2],
                               report::kLargestGridImage));
    return nullptr;
  }
  const std::vector<std::int64_t> rows = shown_rows(objects.size());
  const report::ImageGrid grid = grid_of(objects, methods, others, observed_NM, at::tensor(rows, at::kLong), image_shape);
  std::vector<std::int64_t> ids;
  for (const std::int64_t row : rows) ids.push_back(objects.ids_N[row].item<std::int64_t>());
  page.figure(report::render_image_grid(grid), caption(objects, grid, ids, observed_NM, image_shape));
  std::vector<std::string> labels;
  for (const report::ImageRow& row : grid.rows) labels.push_back(row.label);
  return {{objects.has_object_ids() ? "object_ids" : "rows", ids},
          {"labels", labels},
          {"black_data_units", grid.low},
          {"white_data_units", grid.high}};
}

std::string data_in_words(const ReportObjects& objects) {
  return fmt::format(
      "{} objects{}.", objects.size(),
      objects.origin.empty() ? std::string(" of unstated origin") : fmt::format("; origin as the file states it: {}", objects.origin));
}

}  // namespace unchannel
