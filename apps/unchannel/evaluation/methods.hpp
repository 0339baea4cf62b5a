#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <unchannel/report/comparison.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "../run_config.hpp"
#include "report_objects.hpp"

namespace unchannel {

/// A run opened for restoration, with the configuration and channel it was trained for.
struct OpenRun {
  RunConfig config;
  std::unique_ptr<Channel> channel;
  TrainedModel trained;
};
OpenRun open_run(const std::filesystem::path& run, const std::vector<std::string>& plugin_folders, const std::filesystem::path& data_file);

/// Φ(y) of the run.
at::Tensor restore_objects(const OpenRun& run, const ReportObjects& objects);

/// Runs one method; an Error becomes the row's reason, so that a report never fails for one of its rows. Throws InterruptedError when a
/// stop was requested.
report::MethodResult try_method(const std::string& name, const std::string& meaning, const std::function<at::Tensor()>& restore);

/// What the start of a run is, in words.
std::string start_in_words(const OpenRun& run);

/// The start the run was trained from, applied to the observations. Throws ConfigError where it leaves no map behind.
at::Tensor start_alone(const OpenRun& run, const ReportObjects& objects);

/// Linear-Gaussian model fitted to the run's own observations (at most 12,000 rows) and nothing else. Throws ConfigError when the channel
/// has no mean, a response or noise that differs from object to object, fewer than 8 elements, or a response of more than 4096 rows or
/// columns, whose decomposition would take many minutes.
at::Tensor factor_analysis(const OpenRun& run, const ReportObjects& objects);

/// The per-observation solver with the strength that is best on the truth. `objects` must have a truth. Noise below a thousandth of the
/// truth's spread is taken for that much. Throws ConfigError when the channel has no mean or vjp, no known white noise, or a mean that is not
/// affine.
at::Tensor tikhonov_tuned_on_truth(const OpenRun& run, const ReportObjects& objects);

}  // namespace unchannel
