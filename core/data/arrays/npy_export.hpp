#pragma once

#include <filesystem>
#include <string>

#include "../dataset.hpp"

namespace unchannel {

/// Writes one dataset of a data file as a `.npy` file (version 1, C order, little endian), atomically and in blocks: the rows ("signals" or
/// "observations", or empty) and "ivar" as float32, "mask" as uint8, "latents/NAME" in its own type, "object_id" as int64, other numeric
/// columns as float64. Shape [N, …], row order kept. Throws DataError: no such dataset (with those that there are), disk.
void export_npy(const DatasetReader& source, const std::string& dataset, const std::filesystem::path& output);

}  // namespace unchannel
