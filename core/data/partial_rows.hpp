#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

namespace unchannel {

/// Finished rows of a long command, kept in OUTPUT.partial until the output is written, so that the next call of the command goes on where this
/// one ended, whatever ended it. Blocks carry a checksum: one that was cut or damaged counts as not done, and so do those after it.
/// One process at a time: the file is locked. Memory: one block.
class PartialRows {
 public:
  /// `task`: a JSON object of everything the rows depend on. `resume`: keep the rows that are there; they must be of the same task. Without it
  /// the file begins anew. Throws ConfigError naming the first key in which the tasks differ; DataError when the file cannot be written, is
  /// no such file, or another process holds it.
  PartialRows(const std::filesystem::path& output, const nlohmann::json& task, std::uint64_t row_size, bool resume);
  PartialRows(const PartialRows&) = delete;
  PartialRows& operator=(const PartialRows&) = delete;
  ~PartialRows();

  static std::filesystem::path path_of(const std::filesystem::path& output) { return output.string() + ".partial"; }

  /// Finished rows, and how many of them failed.
  std::uint64_t rows() const { return rows_; }
  std::uint64_t failed() const { return failed_; }

  /// Adds a block of whole rows, `failed` of which hold zeros for want of a result. It survives the process from then on. Throws DataError (disk
  /// full); the rows before it are kept.
  void append(std::span<const float> values, std::uint64_t failed);
  /// Calls `use` with the values of each block, in order. Throws DataError when the file cannot be read.
  void for_each_block(const std::function<void(std::span<const float>)>& use) const;
  /// To disk, so that the rows survive the machine, too.
  void sync() const;
  /// Deletes the file: the output is written.
  void remove();

 private:
  struct Block;
  void open_and_lock();
  void begin(const std::string& task);
  void take_over(const nlohmann::json& task);
  bool read_block(std::uint64_t offset, Block& block) const;
  void read_at(std::uint64_t offset, void* bytes, std::uint64_t count) const;
  void write_at_end(const std::string& bytes);

  std::filesystem::path path_;
  std::uint64_t row_size_;
  int descriptor_ = -1;
  std::uint64_t first_block_ = 0;  ///< byte offsets
  std::uint64_t end_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace unchannel
