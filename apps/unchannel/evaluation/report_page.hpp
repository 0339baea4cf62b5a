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

/// Observed, restored and (where known) true spectra of the first objects.
void add_spectra_section(report::HtmlPage& page, const ReportObjects& objects, const at::Tensor& restored_ND);

/// Residuals of observations and re-simulations, p-values "does the simulator explain this observation". The p-values of all objects are
/// returned. Throws InterruptedError when a stop was requested.
std::vector<report::ObjectPvalue> add_consistency_section(report::HtmlPage& page, const OpenRun& run, const ReportObjects& objects,
                                                          const at::Tensor& restored_ND);

/// Table of all methods and spread per pixel. The rows computed are returned.
std::vector<report::ComparisonRow> add_comparison_section(report::HtmlPage& page, const ReportObjects& objects,
                                                          const std::vector<report::MethodResult>& methods, const at::Tensor& exact_draw_ND,
                                                          const report::SignalLaw& law);

}  // namespace unchannel
