#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "number_format.hpp"

namespace unchannel {

/// A variable of a MATLAB v5 file as its header describes it.
struct MatVariable {
  std::string name;
  std::string kind;                  ///< "uint8", "double", "struct", …
  std::optional<NumberKind> number;  ///< of full real numeric arrays: the others cannot be imported
  bool logical = false;
  std::vector<std::uint64_t> extents;
};

/// Walks through a MATLAB v5 file (-v6, -v7; little or big endian) and checks what libmatio takes on trust: that every variable lies
/// within the file, that a compressed one inflates to its end with the right checksum (libmatio ignores it) and that an array's numbers
/// are as many as its extents say (libmatio leaves what is missing uninitialised). Memory: a few hundred KiB; every byte is read once.
/// Throws DataError: missing, no such file, MATLAB v4 or v7.3, damaged or cut off.
std::vector<MatVariable> scan_mat(const std::filesystem::path& path);

}  // namespace unchannel
