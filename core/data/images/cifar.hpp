#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../import_options.hpp"

namespace unchannel {

/// Which of CIFAR-10's batches to take from a folder or an archive: data_batch_*.bin, test_batch.bin or both.
enum class CifarSplit { train, test, all };

struct CifarImportOptions : ImportOptions {
  CifarSplit split = CifarSplit::train;
};

/// CIFAR-10's binary version: records of a label 0 … 9 and 3 × 32 × 32 levels, planes first (https://www.cs.toronto.edu/~kriz/cifar.html).
/// `inputs`: its tar.gz or tar, folders with *.bin files, or such files themselves (also gzipped). Folders are read by name, archives in
/// their order. Rows [3, 32, 32]; columns object_id (counted over all files), object_name (FILE#RECORD) and label.
///
/// A batch that is no whole number of records, is damaged or has a label above 9 is skipped as a whole and named in the report, its
/// records are not counted. Memory: one batch, at most 256 MiB. progress counts the inputs' KiB. Throws DataError: an input that does not
/// exist or holds no batch of the split, a damaged archive.
ImportReport import_cifar(const std::vector<std::filesystem::path>& inputs, const CifarImportOptions& options,
                          const std::filesystem::path& output, const ImportProgress& progress = {});

}  // namespace unchannel
