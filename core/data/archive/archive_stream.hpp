#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "byte_source.hpp"

namespace unchannel {

/// One entry of an archive as its header describes it.
struct ArchiveEntry {
  std::string name;      ///< with `?` for bytes that do not print
  bool regular = false;  ///< neither folder, link nor device
};

/// The entries of a tar, tar.gz or zip file one after the other, in the archive's order; memory does not grow with it. Nothing is ever
/// written by an entry's name, so names that lead out of a folder do no harm. Throws DataError: missing, none of the three, damaged.
class ArchiveStream {
 public:
  explicit ArchiveStream(const std::filesystem::path& path);
  ~ArchiveStream();

  /// Goes on to the next entry; false at the end, where the checksum of a tar.gz has been compared. What was not read is skipped.
  bool next(ArchiveEntry& entry);
  /// The bytes of the current entry; valid until next().
  ByteSource& content();

  std::uint64_t file_bytes() const noexcept;
  std::uint64_t consumed_bytes() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True when the file begins like a zip file. Throws DataError when it cannot be read.
bool is_zip_file(const std::filesystem::path& path);

/// `text` with `?` in place of bytes that do not print: names from files are shown on terminals.
std::string printable(std::string text);

}  // namespace unchannel
