#pragma once

#include <filesystem>

namespace unchannel {

/// The child's side of a probe: loads `file` in this process and writes what it finds to standard output as lines of JSON,
/// {"stage": …} before each step (so that the parent knows where it died) and one {"good": …} at the end. What the plugin itself prints
/// goes to standard error. Returns 0 when an answer was written, good or bad.
int probe_in_this_process(const std::filesystem::path& file);

}  // namespace unchannel
