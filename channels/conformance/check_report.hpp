#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "check_runner.hpp"

namespace unchannel::conformance {

/// One line: verdict, check, time, and the reason with the remedy below it where it did not pass.
std::string outcome_text(const CheckOutcome& outcome);

/// The summary that ends a report: counts, what is untested, and the verdict on the file.
std::string summary_text(const CheckReport& report);

/// All outcomes and the summary.
std::string report_table(const CheckReport& report);

/// {"file", "sha256", "passed", "counts", "checks": [{"id", "channel", "claim", "verdict", "reason", "remedy", "elapsed_s", "detail"}]}.
nlohmann::json report_json(const CheckReport& report);

/// Writes report_json atomically. Throws DataError.
void write_report(const CheckReport& report, const std::filesystem::path& file);

}  // namespace unchannel::conformance
