#pragma once

#include <functional>
#include <string>
#include <unchannel/plugin_host/probe.hpp>
#include <vector>

#include "check_table.hpp"
#include "verdict.hpp"

namespace unchannel::conformance {

/// One line of the report.
struct CheckOutcome {
  const CheckInfo* info = nullptr;
  std::string channel;  ///< empty for checks of the file
  CheckAnswer answer;
  double elapsed_s = 0;
};

struct CheckReport {
  std::filesystem::path file;
  std::string sha256;  ///< of the file when the checks began
  std::vector<std::string> channels;
  std::vector<std::pair<std::string, std::string>> needed;  ///< libraries that it brings along, and their SHA-256
  bool complete = false;                                    ///< every check was run on every channel of the file
  std::vector<CheckOutcome> outcomes;

  int count(Verdict verdict) const;
  /// No check failed and at least one passed.
  bool passed() const;
};

struct CheckSettings {
  CheckRequest request{};
  std::vector<std::string> only{};  ///< ids of checks; empty: all
  bool stop_at_failure = false;
  bool record = true;     ///< remember the outcome, see pass_record.hpp
  ProbeSettings probe{};  ///< where the worker is
  /// Called after every check, for a progress display; may be empty.
  std::function<void(const CheckOutcome&)> progress{};
};

/// Runs the checks, each in a process of its own. Throws ConfigError (unknown check, wrong configuration file), DataError (the file cannot
/// be read) or PluginError (the worker is missing); whatever the plugin does is in the report.
CheckReport check_file(const CheckSettings& settings);

}  // namespace unchannel::conformance
