#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace unchannel {

/// One of several nearly equal parts of the rows of a file, and of the file that holds its results.
struct RowShard {
  std::uint64_t part = 1, parts = 1;
  std::uint64_t begin = 0, end = 0;  ///< rows of the whole
  std::uint64_t rows = 0;            ///< of the whole

  /// "i/n" with 1 ≤ i ≤ n ≤ rows; empty: all rows. Parts begin at whole blocks of `block` rows, as long as there is one for each, so that every
  /// block is computed with the same rows in whatever shard. Throws ConfigError.
  static RowShard parse(const std::string& text, std::uint64_t rows, std::uint64_t block);

  /// For the attribute "shard" of its file. `task`: hash of all that the rows depend on, the same for all shards.
  std::string describe(const std::string& task) const;
};

/// Writes the files of all shards of one task, in any order, as one file of signals: rows in the order of the whole, columns, wavelengths and
/// attributes as in a file that was written in one piece. Throws DataError, naming the file and what to do, for a file that is no shard, a
/// shard of another task, one that is there twice, and missing ones; InterruptedError on a stop signal. There is no output then.
void join_shards(const std::vector<std::filesystem::path>& files, const std::filesystem::path& output);

}  // namespace unchannel
