#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "description.hpp"

namespace unchannel {

/// Checks what a user gave (a JSON object) against the schema and adds the defaults: one value for each parameter, in order. Relative paths
/// are taken from `folder`. Throws ConfigError naming channel, parameter, rule, unit and value ("did you mean" for an unknown one).
std::vector<nlohmann::json> resolve_parameters(const std::string& channel, const std::vector<ParameterDescription>& schema,
                                               const nlohmann::json& given, const std::filesystem::path& folder);

/// Resolved values in the form that configure takes; borrows texts from `values` and ids from `schema`.
std::vector<unchannel_value> to_values(const std::vector<ParameterDescription>& schema, const std::vector<nlohmann::json>& values);

}  // namespace unchannel
