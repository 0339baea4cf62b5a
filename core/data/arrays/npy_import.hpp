#pragma once

#include <filesystem>
#include <string>

#include "array_import.hpp"

namespace unchannel {

/// Opens a `.npy` file (also gzipped), or array `name` of an `.npz` file; `name` may be empty where the file holds one array only.
/// Integers, booleans and floats of 32 and 64 bits, either byte order, C or Fortran order. Throws DataError, with the arrays that there
/// are and a suggestion when `name` is not among them.
ArrayStream open_npy(const std::filesystem::path& path, const std::string& name = "");

struct NpyImportOptions : ArrayImportOptions {
  std::string array;   ///< of an .npz file
  std::string labels;  ///< a .npy file, or a further array of the .npz file; empty: none
};

/// import_array() of open_npy(); the default layout is N followed by axes that stay as they are.
ImportReport import_npy(const std::filesystem::path& path, const NpyImportOptions& options, const std::filesystem::path& output,
                        const ImportProgress& progress = {});

}  // namespace unchannel
