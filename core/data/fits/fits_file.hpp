#pragma once

#include <fitsio.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace unchannel::fits {

/// Exclusive use of CFITSIO, whose message stack is shared by the process.
class Lock {
 public:
  Lock();

 private:
  std::unique_lock<std::recursive_mutex> guard_;
};

/// Throws DataError "`place`: `action` failed: <CFITSIO's messages>." when `status` is not 0; clears the message stack.
void require(int status, std::string_view place, std::string_view action);

/// One open FITS file. Extended file names, compressed files and network access of CFITSIO are not available: a path is a path.
class File {
 public:
  /// Opens for reading. Throws DataError: missing, no FITS file (its first card is checked), unreadable.
  static File open(const std::filesystem::path& path);
  /// Creates a file over an empty one at `path`; `place` names the final target in messages.
  static File create(const std::filesystem::path& path, std::string place);

  File(File&& other) noexcept;
  ~File();

  fitsfile* get() const noexcept { return file_; }
  const std::string& place() const noexcept { return place_; }
  /// Closes now, writing the last bytes. Throws DataError.
  void close();

  /// Moves to HDU `number` (1 = primary), which must be a binary table of at most `max_rows` rows that the file is long enough
  /// for. Returns the number of rows.
  std::int64_t open_table(int number, std::int64_t max_rows);
  /// A column of one number a row. Case of `column` does not matter. Throws DataError when it is missing or holds arrays.
  std::vector<double> read_numbers(const std::string& column, std::int64_t rows);
  std::vector<std::int64_t> read_integers(const std::string& column, std::int64_t rows);
  /// Text of the first row, without trailing blanks.
  std::string read_text(const std::string& column);
  bool has_column(const std::string& column);
  /// Logical or text keyword of the current HDU as text ("T", "F", …); empty when absent.
  std::string keyword(const std::string& name);

 private:
  File(fitsfile* file, std::string place) : file_(file), place_(std::move(place)) {}
  int find_column(const std::string& column, bool text);

  fitsfile* file_ = nullptr;
  std::string place_;
};

}  // namespace unchannel::fits
