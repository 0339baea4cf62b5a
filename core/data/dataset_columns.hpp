#pragma once

#include <cstdint>
#include <span>

#include "dataset.hpp"

namespace unchannel {

/// The part of copy_metadata that belongs to rows: ids, names, redshifts and further columns. May be called again for the rows that follow.
void copy_columns(const DatasetReader& source, std::uint64_t first, std::uint64_t count, DatasetWriter& target);
void copy_columns(const DatasetReader& source, std::span<const std::uint64_t> rows, DatasetWriter& target);

}  // namespace unchannel
