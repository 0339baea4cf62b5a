#pragma once

#include <filesystem>
#include <string>

#include "array_import.hpp"

namespace unchannel {

/// Reads a full real numeric array of a MATLAB v5 file (save -v6 or -v7) through libmatio, after scan_mat() has checked the file; at most
/// 2 GiB, which the format does not exceed. `name` may be empty where the file holds one such array only. Throws DataError, with the
/// variables that there are.
ArrayStream open_mat(const std::filesystem::path& path, const std::string& name = "");

struct MatImportOptions : ArrayImportOptions {
  std::string variable;
  std::string labels;  ///< a further variable; empty: none
};

/// import_array() of open_mat(). There is no default layout, for MATLAB files have samples in rows (ND) or in columns (DN). Pictures
/// that were made columns by MATLAB's x(:) come back with reshape = {height, width, N}, layout = "HWN".
ImportReport import_mat(const std::filesystem::path& path, const MatImportOptions& options, const std::filesystem::path& output,
                        const ImportProgress& progress = {});

}  // namespace unchannel
