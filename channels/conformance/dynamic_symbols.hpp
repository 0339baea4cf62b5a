#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace unchannel::conformance {

/// What the dynamic section of a shared library says, read from the file without loading it.
struct DynamicSymbols {
  std::vector<std::string> exported;  ///< defined, global or weak, visible
  std::vector<std::string> needed;    ///< DT_NEEDED
};

/// Every offset is checked: the file may be anything. Throws CheckFailed when it is no shared library of this machine or its tables
/// contradict each other.
DynamicSymbols read_dynamic_symbols(const std::filesystem::path& file);

}  // namespace unchannel::conformance
