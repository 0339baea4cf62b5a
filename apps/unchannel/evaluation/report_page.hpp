#pragma once

#include <string>
#include <utility>
#include <vector>

#include <unchannel/report/comparison.hpp>
#include <unchannel/report/html.hpp>
#include <unchannel/report/object_pvalues.hpp>

#include "methods.hpp"

namespace unchannel {

/// What the settings of a run mean, in words.
std::vector<std::pair<std::string, std::string>> run_summary(const OpenRun& run);

/// Observed, restored and (where known) true spectra of the first objects. `observed_NM` here and below: see observed_elements.
void add_spectra_section(report::HtmlPage& page, const ReportObjects& objects, const at::Tensor& restored_ND, const at::Tensor& observed_NM);

/// Residuals of observations and re-simulations, p-values "does the simulator explain this observation", with the latents that came with the
/// observations. The p-values of all objects are returned; none where they cannot be computed, and the page says why. Throws
/// InterruptedError when a stop was requested.
std::vector<report::ObjectPvalue> add_consistency_section(report::HtmlPage& page, const OpenRun& run, const ReportObjects& objects,
                                                          const at::Tensor& restored_ND, const at::Tensor& observed_NM);

/// Table of all methods; of spectra also the peaks of lines and the spread per pixel. The rows computed are returned. `image_shape`: see
/// image_shape_of. `law_in_words`: where the law comes from.
std::vector<report::ComparisonRow> add_comparison_section(report::HtmlPage& page, const ReportObjects& objects,
                                                          const std::vector<report::MethodResult>& methods, const at::Tensor& exact_draw_ND,
                                                          const std::vector<std::int64_t>& image_shape, const report::SignalLaw& law,
                                                          const std::string& law_in_words);

}  // namespace unchannel
