#pragma once

#include <string>
#include <unchannel/plugin_host/subprocess.hpp>
#include <vector>

#include "request.hpp"
#include "verdict.hpp"

namespace unchannel::conformance {

/// What a child that ran a check or a seed says, or how it died: that is a failure with a reason. Never throws for what a plugin does.
CheckAnswer read_child_answer(const SubprocessResult& child, double time_limit_s);

/// Adds --channel and --config.
void append_request(std::vector<std::string>& arguments, const CheckRequest& request);

}  // namespace unchannel::conformance
