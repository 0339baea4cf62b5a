#include "report_page.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/diagnostics/residual_pvalue.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/metrics/pixel_errors.hpp>

#include "image_section.hpp"
#include "method_names.hpp"
#include "observed_elements.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kExamples = 4;
constexpr std::int64_t kPvalueBlock = 256;
constexpr std::int64_t kPvalueNumbers = 1 << 22;  // elements of observations of images that get p-values: a few minutes

/// Rows [begin, end) of latents.
Latents rows_of(const Latents& latents, std::int64_t begin, std::int64_t end) {
  Latents part;
  for (const auto& [name, values] : latents) part.emplace(name, values.slice(0, begin, end));
  return part;
}

/// All; of images the first ones, as many as are measured a hundred times within minutes.
std::int64_t objects_with_pvalue(const OpenRun& run, const ReportObjects& objects) {
  if (image_shape_of(run.channel->signal_shape()).empty()) return objects.size();
  return std::min(objects.size(), std::max<std::int64_t>(1, kPvalueNumbers / objects.batch.raw_BM.size(1)));
}

std::vector<report::ObjectPvalue> object_pvalues(const OpenRun& run, const ReportObjects& objects, const at::Tensor& restored_ND,
                                                 const at::Tensor& observed_NM, RandomKey key) {
  diagnostics::ResidualPvalueOptions options;
  std::erase_if(options.widths, [&](std::int64_t width) { return width > objects.batch.raw_BM.size(1); });
  const std::int64_t count = objects_with_pvalue(run, objects);
  Progress bar("p-values", count);
  std::vector<report::ObjectPvalue> result;
  for (std::int64_t begin = 0; begin < count; begin += kPvalueBlock) {
    if (const int signal = stop_requested(); signal != 0) throw InterruptedError("report: interrupted; nothing was written.", signal);
    const std::int64_t end = std::min(begin + kPvalueBlock, count);
    const auto part = [&](const at::Tensor& values) { return values.defined() ? values.slice(0, begin, end) : values; };
    const at::Tensor p_B = diagnostics::residual_pvalues(*run.channel, part(restored_ND), part(objects.batch.raw_BM),
                                                         rows_of(objects.batch.latents, begin, end), key, part(objects.ids_N),
                                                         part(observed_NM), options);
    for (std::int64_t row = begin; row < end; ++row) {
      const auto i = static_cast<std::size_t>(row);
      result.push_back({objects.ids_N[row].item<std::int64_t>(), objects.has_object_ids(), i < objects.names.size() ? objects.names[i] : "",
                        p_B[row - begin].item<double>()});
    }
    bar.update(end);
  }
  bar.finish();
  return result;
}

std::string words_of(const nlohmann::json& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters.items()) {
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

std::string latents_in_words(const Channel& channel) {
  std::string text;
  for (const LatentSpec& latent : channel.latents()) {
    const char* source = latent.source == LatentSource::kFresh ? "drawn by the channel" : "from the data";
    text += fmt::format("{}{} ({}, {})", text.empty() ? "" : ", ", latent.name, latent.visible ? "visible" : "hidden", source);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> run_summary(const OpenRun& run) {
  const TrainSettings& train = run.config.train;
  const InterpolantSettings& chosen = train.interpolant;
  const std::string path =
      chosen.kind + (chosen.gamma == "none" ? "" : ", noise along the path " + chosen.gamma) +
      (Interpolant(chosen).stochastic() ? fmt::format(", transport by the reverse SDE, ε {} ({:g})", chosen.epsilon_schedule, chosen.epsilon)
                                        : ", deterministic transport (ODE)");
  return {
      {"channel", fmt::format("{} {}", run.channel->id(), run.channel->version())},
      {"channel parameters", words_of(run.config.channel.parameters)},
      {"latents", latents_in_words(*run.channel)},
      {"interpolant", path},
      {"start", run.config.channel.lift == "own" ? train.start.kind : fmt::format("{}, lifted by {} steps of least squares", train.start.kind, run.config.channel.lift_iterations)},
      {"network", fmt::format("{}{}, width {}, depth {}, {} parameters, {}",
                              train.model.members > 1 ? fmt::format("committee of {}: ", train.model.members) : "", train.model.family,
                              train.model.width, train.model.depth, run.trained.network->parameter_count(), train.model.precision)},
      {"restoration",
       fmt::format("{} steps of solver {}", train.transport.in_restoration().steps, train.transport.in_restoration().solver)},
      {"pool", fmt::format("{} signals, {} renewed every {} steps", train.scsi.pool, train.scsi.refresh_rows, train.scsi.refresh_every)},
      {"checkpoint", fmt::format("step {} of {}", run.trained.step, train.scsi.steps)},
      {"key", std::to_string(train.run.key)}};
}

void add_spectra_section(report::HtmlPage& page, const ReportObjects& objects, const at::Tensor& restored_ND, const at::Tensor& observed_NM) {
  page.section("Spectra");
  page.paragraph(data_in_words(objects));
  const at::Tensor observed_ND = without_unobserved(observed_as_signals(objects.batch), observed_NM);
  std::vector<report::SpectrumExample> examples;
  for (std::int64_t i = 0; i < std::min(kExamples, objects.size()); ++i) {
    report::SpectrumExample example;
    const auto row = static_cast<std::size_t>(i);
    if (row < objects.names.size()) example.name = objects.names[row];
    if (objects.redshift) example.redshift = (*objects.redshift)[row];
    example.observed = report::to_vector(observed_ND[i]);
    example.restored = report::to_vector(restored_ND[i]);
    if (objects.truth_ND.defined()) example.truth = report::to_vector(objects.truth_ND[i]);
    examples.push_back(std::move(example));
  }
  page.figure(
      report::render_figure(report::spectra_figure(objects.axis, examples, "flux [data units]")),
      fmt::format("The first {} objects of the file, not selected: observed, restored{}, and zooms on emission lines in coverage. A "
                  "restoration is the transport of the observation; it is one signal that the run holds likely, not an average over all "
                  "that fit. Dotted lines: laboratory wavelengths at the redshift of the file.",
                  examples.size(), objects.truth_ND.defined() ? ", true" : ""));
}

namespace {

/// Residuals of the observations beside those of observations simulated from the restorations, with the same latents where they are known.
void add_residuals(report::HtmlPage& page, const OpenRun& run, const ReportObjects& objects, const at::Tensor& restored_ND,
                   const at::Tensor& observed_NM, RandomKey key) {
  const FailureWatch watch(*run.channel);
  Latents all;
  const at::Tensor raw_NM = measure(*run.channel, restored_ND, objects.batch.latents, key, objects.ids_N, &all);
  const at::Tensor simulated_ND = run.channel->lift(raw_NM, all);
  at::Tensor simulated_residual = without_unobserved(simulated_ND - restored_ND, observed_NM);
  if (const at::Tensor weight_N = watch.weight_B(restored_ND.size(0)); weight_N.defined()) {
    simulated_residual = simulated_residual.masked_fill(weight_N.eq(0).unsqueeze(1), NAN);
  }
  page.figure(
      report::render_figure(report::residual_figure(without_unobserved(objects.batch.lifted_BD - restored_ND, observed_NM), simulated_residual)),
      "Residuals of the observations, y − Φ(y), and of observations simulated anew from the restorations, F(Φ(y)) − Φ(y). Left: all "
      "pixels; right: root mean square per object. Equal laws are what a restoration consistent with simulator and data gives.");
}

void add_pvalues(report::HtmlPage& page, const std::vector<report::ObjectPvalue>& all) {
  std::vector<double> known;
  for (const report::ObjectPvalue& object : all) {
    if (!std::isnan(object.p_value)) known.push_back(object.p_value);
  }
  if (known.empty()) {
    page.paragraph("No object could be simulated anew: there are no p-values.");
    return;
  }
  const auto rejected =
      static_cast<double>(std::ranges::count_if(known, [](double p) { return p <= 0.01; })) / static_cast<double>(known.size());
  page.figure(
      report::render_figure(report::p_value_figure(known)),
      fmt::format(
          "p-values of {} of the first {} objects against replicas simulated from their restorations. {:.1f} % are at 0.01 or below. Small "
          "values mean that restoration or simulator fail for the object; since the restoration follows the observation, a "
          "uniform histogram proves neither right.",
          known.size(), all.size(), 100 * rejected));
  page.table(report::worst_objects(all));
}

}  // namespace

std::vector<report::ObjectPvalue> add_consistency_section(report::HtmlPage& page, const OpenRun& run, const ReportObjects& objects,
                                                          const at::Tensor& restored_ND, const at::Tensor& observed_NM) {
  page.section("Does the simulator explain the observations?");
  const c10::NoGradGuard no_grad;
  const RandomKey key = RandomKey(1).derive(Purpose::kChannelEvaluation);
  try {
    add_residuals(page, run, objects, restored_ND, observed_NM, key);
    std::vector<report::ObjectPvalue> all = object_pvalues(run, objects, restored_ND, observed_NM, key);
    add_pvalues(page, all);
    return all;
  } catch (const InterruptedError&) {
    throw;
  } catch (const PluginError& error) {
    page.paragraph(fmt::format("Not computed, because the channel cannot measure the restorations: {}", error.what()));
  } catch (const NumericalError& error) {
    page.paragraph(fmt::format("Not computed: {}", error.what()));
  }
  return {};
}

namespace {

void add_spread_figure(report::HtmlPage& page, const ReportObjects& objects, const std::vector<report::MethodResult>& methods) {
  const auto spread = [](const at::Tensor& x_ND) { return report::to_vector(metrics::pixel_spread(x_ND)); };
  std::vector<report::SpreadCurve> curves;
  const auto add = [&](const char* name, report::Tone tone, report::Mark mark) {
    for (const report::MethodResult& method : methods) {
      if (method.name == name && method.restored_ND.defined()) curves.push_back({name, spread(method.restored_ND), tone, mark});
    }
  };
  add(method_names::kStart, report::Tone::kBlue, report::Mark::kDashed);
  add(method_names::kFactorAnalysis, report::Tone::kGreen, report::Mark::kDashed);
  add(method_names::kScsi, report::Tone::kOrange, report::Mark::kLine);
  page.figure(
      report::render_figure(report::spread_figure(objects.axis, spread(objects.truth_ND), curves)),
      "Standard deviation over objects by pixel, and its ratio to that of the truth. Estimators that average over what fits, such as the "
      "linear-Gaussian one, have too little spread.");
}

}  // namespace

std::vector<report::ComparisonRow> add_comparison_section(report::HtmlPage& page, const ReportObjects& objects,
                                                          const std::vector<report::MethodResult>& methods, const at::Tensor& exact_draw_ND,
                                                          const std::vector<std::int64_t>& image_shape, const report::SignalLaw& law,
                                                          const std::string& law_in_words) {
  page.section("Comparison with the truth");
  report::ComparisonData data;
  data.truth_ND = objects.truth_ND;
  data.exact_draw_ND = exact_draw_ND;
  data.image_shape = image_shape;
  if (objects.axis.is_wavelength && (objects.axis.rest_frame || objects.redshift)) {
    data.wavelength_D = at::tensor(objects.axis.position, at::kDouble);
    if (!objects.axis.rest_frame) data.redshift_N = at::tensor(*objects.redshift, at::kDouble);
  }
  std::vector<report::ComparisonRow> rows;
  for (const report::MethodResult& method : methods) rows.push_back(report::compare(method, data, law));
  page.paragraph(law_in_words);
  page.table(report::comparison_table(rows));
  if (const report::Table lines = report::line_table(rows); !lines.rows.empty()) page.table(lines);
  if (image_shape.empty()) add_spread_figure(page, objects, methods);
  return rows;
}

}  // namespace unchannel
