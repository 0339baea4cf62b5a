#pragma once

#include <filesystem>
#include <string>

#include "array_import.hpp"

namespace unchannel {

/// Opens an idx file (the format of MNIST and its relatives), gzipped or not: two zero bytes, element type, rank, big-endian extents,
/// numbers in C order. Throws DataError.
ArrayStream open_idx(const std::filesystem::path& path);
/// The same from any source of bytes.
ArrayStream read_idx(std::unique_ptr<ByteSource> source);

struct IdxImportOptions : ArrayImportOptions {
  std::string labels;  ///< idx file of rank 1; empty: none
};

/// import_array() of open_idx(); arrays of rank 3 are pictures, NHW, unless options.layout says otherwise.
ImportReport import_idx(const std::filesystem::path& path, const IdxImportOptions& options, const std::filesystem::path& output,
                        const ImportProgress& progress = {});

}  // namespace unchannel
