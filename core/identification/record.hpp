#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "finding.hpp"

namespace unchannel::identification {

/// A line for each point: the value, every statistic's standardised excess, whether the value is accepted.
std::string table(const Profile& profile, const UnknownSettings& unknown);

/// Everything: settings, statistics, points with their members, finding. NaN becomes null. docs/reference/run_folder.md.
nlohmann::json to_json(const Profile& profile, const Finding& finding, const UnknownSettings& unknown);

nlohmann::json to_json(const Discrepancy& discrepancy);
Discrepancy discrepancy_from_json(const nlohmann::json& json);

}  // namespace unchannel::identification
