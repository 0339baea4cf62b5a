#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace unchannel::conformance {

/// The step while none of the plugin's functions is being called.
inline constexpr const char* kOurselves = "the checker itself, or a thread of the plugin,";

/// Which function of the plugin is being called; told to the parent when the process dies in it. The text must live for ever.
void set_step(const char* step) noexcept;
void set_step(const std::string& step);  ///< keeps a copy

/// Takes standard output over for answers; what the plugin prints goes to standard error from now on. Reports crashes, exit() and the
/// time limit in the name of the plugin. Call it once, before any code of the plugin runs.
void open_answer(double time_limit_s);

/// Writes one line of JSON.
void write_answer(const nlohmann::json& line);

/// Writes a failure, "<step> <text>.", as the answer. Does not return.
[[noreturn]] void report_failure_and_exit(const std::string& text);

}  // namespace unchannel::conformance
