#pragma once

#include <filesystem>
#include <string>

namespace unchannel {

/// A description of a data file for people: shape, origin, normalisation, range of the values, wavelengths, columns, latents,
/// provenance. Reads every row once, in blocks. Throws DataError as DatasetReader does.
std::string describe_data_file(const std::filesystem::path& path);

}  // namespace unchannel
