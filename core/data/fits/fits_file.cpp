#include "fits_file.hpp"

#include <array>
#include <fstream>
#include <utility>

#include <unchannel/base/error.hpp>

namespace unchannel::fits {
namespace {

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

}  // namespace

Lock::Lock() : guard_(library_mutex()) {}

void require(int status, std::string_view place, std::string_view action) {
  if (status == 0) return;
  std::array<char, FLEN_STATUS> code{};
  ::fits_get_errstatus(status, code.data());
  std::string text = code.data();
  std::array<char, FLEN_ERRMSG> line{};
  while (::fits_read_errmsg(line.data()) != 0) text += std::string("; ") + line.data();
  throw DataError(fmt::format("{}: {} failed: {}.", place, action, text));
}

File File::open(const std::filesystem::path& path) {
  const std::string place = path.string();
  std::error_code error;
  check<DataError>(std::filesystem::is_regular_file(path, error), "{}: no such file. Check the path.", place);
  std::array<char, 9> card{};
  std::ifstream(path, std::ios::binary).read(card.data(), card.size());
  check<DataError>(std::string_view(card.data(), card.size()) == "SIMPLE  =", "{}: is not a FITS file (its first card is not SIMPLE).",
                   place);
  const Lock lock;
  fitsfile* file = nullptr;
  int status = 0;
  ::fits_clear_errmsg();
  ::fits_open_diskfile(&file, path.c_str(), READONLY, &status);
  require(status, place, "opening");
  return File(file, place);
}

File File::create(const std::filesystem::path& path, std::string place) {
  const Lock lock;
  std::error_code ignored;
  std::filesystem::remove(path, ignored);  // CFITSIO creates new files only
  fitsfile* file = nullptr;
  int status = 0;
  ::fits_clear_errmsg();
  ::fits_create_diskfile(&file, path.c_str(), &status);
  require(status, place, "creating");
  return File(file, std::move(place));
}

File::File(File&& other) noexcept : file_(std::exchange(other.file_, nullptr)), place_(std::move(other.place_)) {}

File::~File() {
  if (file_ == nullptr) return;
  const Lock lock;
  int status = 0;  // nobody to tell; close() is for those who want to know
  ::fits_close_file(file_, &status);
  ::fits_clear_errmsg();
}

void File::close() {
  const Lock lock;
  int status = 0;
  ::fits_close_file(std::exchange(file_, nullptr), &status);
  require(status, place_, "writing (is the disk full?)");
}

std::int64_t File::open_table(int number, std::int64_t max_rows) {
  const Lock lock;
  int status = 0, kind = 0;
  ::fits_movabs_hdu(file_, number, &kind, &status);
  require(status, place_, fmt::format("reading HDU {}", number - 1));
  check<DataError>(kind == BINARY_TBL, "{}: HDU {} is not a binary table.", place_, number - 1);
  LONGLONG rows = 0, width = 0, first = 0, data = 0, end = 0;
  ::fits_get_num_rowsll(file_, &rows, &status);
  ::fits_read_key(file_, TLONGLONG, "NAXIS1", &width, nullptr, &status);
  ::fits_get_hduaddrll(file_, &first, &data, &end, &status);
  require(status, place_, fmt::format("reading the header of HDU {}", number - 1));
  check<DataError>(rows >= 1 && rows <= max_rows && width >= 1,
                   "{}: the table in HDU {} has {} rows of {} bytes; 1 to {} rows are expected.", place_, number - 1, rows, width,
                   max_rows);
  std::error_code error;
  const auto size = static_cast<LONGLONG>(std::filesystem::file_size(place_, error));
  check<DataError>(!error && width <= size && rows <= size / width && rows * width <= size - data,
                   "{}: is truncated: the table in HDU {} needs {} rows of {} bytes, but the file ends before. Copy it again.", place_,
                   number - 1, rows, width);
  return rows;
}

int File::find_column(const std::string& column, bool text) {
  int status = 0, number = 0, type = 0;
  long repeat = 0, width = 0;
  std::string name = column;
  ::fits_get_colnum(file_, CASEINSEN, name.data(), &number, &status);
  if (status != 0) {
    ::fits_clear_errmsg();
    throw DataError(fmt::format("{}: has no column {}; it is no SDSS spectrum file.", place_, column));
  }
  ::fits_get_coltype(file_, number, &type, &repeat, &width, &status);
  require(status, place_, "reading the type of column " + column);
  check<DataError>(text ? type == TSTRING : type > 0 && type != TSTRING && repeat == 1, "{}: column {} has the wrong type; {} is expected.",
                   place_, column, text ? "text" : "one number a row");
  check<DataError>(repeat >= 0 && repeat <= 65536, "{}: column {} is {} characters wide.", place_, column, repeat);
  return number;
}

std::vector<double> File::read_numbers(const std::string& column, std::int64_t rows) {
  const Lock lock;
  const int number = find_column(column, false);
  std::vector<double> values(static_cast<std::size_t>(rows));
  int status = 0;
  ::fits_read_col(file_, TDOUBLE, number, 1, 1, rows, nullptr, values.data(), nullptr, &status);
  require(status, place_, "reading column " + column);
  return values;
}

std::vector<std::int64_t> File::read_integers(const std::string& column, std::int64_t rows) {
  const Lock lock;
  const int number = find_column(column, false);
  std::vector<LONGLONG> values(static_cast<std::size_t>(rows));
  int status = 0;
  ::fits_read_col(file_, TLONGLONG, number, 1, 1, rows, nullptr, values.data(), nullptr, &status);
  require(status, place_, "reading column " + column);
  return {values.begin(), values.end()};
}

std::string File::read_text(const std::string& column) {
  const Lock lock;
  const int number = find_column(column, true);
  int status = 0, width = 0;
  ::fits_get_col_display_width(file_, number, &width, &status);
  require(status, place_, "reading the width of column " + column);
  std::vector<char> text(static_cast<std::size_t>(width) + 81, '\0');
  char* pointer = text.data();
  ::fits_read_col(file_, TSTRING, number, 1, 1, 1, nullptr, &pointer, nullptr, &status);
  require(status, place_, "reading column " + column);
  std::string value = text.data();
  value.erase(value.find_last_not_of(' ') + 1);
  return value;
}

bool File::has_column(const std::string& column) {
  const Lock lock;
  int status = 0, number = 0;
  std::string name = column;
  ::fits_get_colnum(file_, CASEINSEN, name.data(), &number, &status);
  ::fits_clear_errmsg();
  return status == 0;
}

std::string File::keyword(const std::string& name) {
  const Lock lock;
  int status = 0;
  std::array<char, FLEN_VALUE> value{};
  ::fits_read_keyword(file_, name.c_str(), value.data(), nullptr, &status);
  ::fits_clear_errmsg();
  return status == 0 ? value.data() : "";
}

}  // namespace unchannel::fits
