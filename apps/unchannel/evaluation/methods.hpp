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

/// The start the run was trained from, applied to the observations. Throws ConfigError where it leaves no map behind.
at::Tensor start_alone(const OpenRun& run, const ReportObjects& objects);

/// Linear-Gaussian model fitted to the run's own observations (at most 12,000 rows) and nothing else. Throws ConfigError when the channel
/// has no mean or noise that differs from pixel to pixel.
at::Tensor factor_analysis(const OpenRun& run, const ReportObjects& objects);

/// The per-observation solver with the strength that is best on the truth. `objects` must have a truth.
at::Tensor tikhonov_tuned_on_truth(const OpenRun& run, const ReportObjects& objects);

}  // namespace unchannel
