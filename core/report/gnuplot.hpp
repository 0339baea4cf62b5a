#pragma once

#include <string>

namespace unchannel::report {

/// Runs gnuplot on a script and returns what it prints. No shell is involved; the script lies in a private temporary folder that is
/// removed afterwards, the user's gnuplot start-up files are not read. `program` is looked up in PATH.
/// Throws ConfigError when the program cannot be started (with the remedy), DataError when it fails (with gnuplot's own message), prints
/// nothing, or takes longer than a minute.
std::string run_gnuplot(const std::string& script, const std::string& program = "gnuplot");

}  // namespace unchannel::report
