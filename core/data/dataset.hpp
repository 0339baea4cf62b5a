#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "element_type.hpp"
#include "wavelength_axis.hpp"

namespace unchannel {

namespace hdf5 {
class RowDataset;
}

/// What the rows of a data file are: clean signals or observations. The names of the main dataset in the file.
enum class DatasetKind { signals, observations };
std::string_view to_string(DatasetKind kind) noexcept;

/// Name, element type (float32, int32 or int64) and shape of one row of /latents/<name>.
struct LatentInfo {
  std::string name;
  ElementType type = ElementType::float32;
  std::vector<std::uint64_t> row_shape;
  std::uint64_t row_size = 1;
};

/// Rows of one latent, row-major [count, row_size].
using LatentValues = std::variant<std::vector<float>, std::vector<std::int32_t>, std::vector<std::int64_t>>;

/// Reads a data file by rows. Opening checks names, ranks, types and agreement of the row counts; reading checks that values are
/// finite. Everything wrong is a DataError that names file, dataset and, for values, row and column. Any thread may use a
/// reader; reads are serialised. Memory: nothing of the rows is kept.
// N rows, D elements of a row
class DatasetReader {
 public:
  /// `expected`: refuse a file of the other kind. Without it /signals is taken, else /observations; both at once are refused.
  explicit DatasetReader(std::filesystem::path path, std::optional<DatasetKind> expected = std::nullopt);
  DatasetReader(DatasetReader&&) noexcept;
  DatasetReader& operator=(DatasetReader&&) noexcept;
  ~DatasetReader();

  const std::filesystem::path& path() const noexcept;
  DatasetKind kind() const noexcept;
  std::uint64_t rows() const noexcept;
  /// Elements of a row: the product of row_shape().
  std::uint64_t dim() const noexcept;
  const std::vector<std::uint64_t>& row_shape() const noexcept;
  /// Rows of one storage chunk (0: contiguous): reading whole chunks is cheapest.
  std::uint64_t chunk_rows() const noexcept;

  /// Rows [first, first + count) into out [count × dim].
  void read_rows(std::uint64_t first, std::uint64_t count, std::span<float> out) const;
  /// Rows in the order of `indices` into out [indices × dim].
  void read_rows(std::span<const std::uint64_t> indices, std::span<float> out) const;

  bool has_ivar() const noexcept;
  /// Inverse variance, finite and ≥ 0, same shape as the rows. DataError when the file has none.
  void read_ivar(std::uint64_t first, std::uint64_t count, std::span<float> out) const;
  void read_ivar(std::span<const std::uint64_t> indices, std::span<float> out) const;

  bool has_mask() const noexcept;
  /// 1 = bad or missing, 0 = good, same shape as the rows. DataError when the file has none.
  void read_mask(std::uint64_t first, std::uint64_t count, std::span<std::uint8_t> out) const;
  void read_mask(std::span<const std::uint64_t> indices, std::span<std::uint8_t> out) const;

  const std::vector<LatentInfo>& latents() const noexcept;
  /// DataError with a suggestion when there is no such latent.
  const LatentInfo& latent(const std::string& name) const;
  LatentValues read_latent(const std::string& name, std::uint64_t first, std::uint64_t count) const;
  LatentValues read_latent(const std::string& name, std::span<const std::uint64_t> indices) const;

  /// Columns [N] next to the rows; nullopt when the file has none. `numeric_column` reads any numeric dataset [N] of the file's root that
  /// holds float32, float64, int32, int64 or uint8 ("redshift", "snr", "normalisation_factor"); NaN stands for an unknown value.
  /// `text_column` reads any text one ("object_name", "class"). Other datasets of the root are passed over. `object_ids` takes whole
  /// numbers of any of these types.
  std::optional<std::vector<std::int64_t>> object_ids() const;
  std::optional<std::vector<std::string>> object_names() const;
  std::optional<std::vector<double>> redshift() const;
  std::optional<std::vector<double>> numeric_column(const std::string& name) const;
  std::optional<std::vector<std::string>> text_column(const std::string& name) const;
  /// Names of the columns above that the file has, in alphabetical order.
  std::vector<std::string> numeric_columns() const;
  std::vector<std::string> text_columns() const;

  /// nullopt when the file has no /coordinates/wavelength.
  const std::optional<WavelengthAxis>& wavelength() const noexcept;
  /// Text attribute of the root ("origin", "normalisation", "provenance"); empty when absent.
  std::string attribute(const std::string& name) const;
  /// All text attributes of the root.
  std::map<std::string, std::string> attributes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes a data file that appears whole or not at all (temporary file, fsync, rename at close()). Rows are appended in
/// blocks of any size, so a file may be larger than memory; storage is in chunks of about 256 KiB. After an error, or when
/// close() was not reached, nothing is left behind. Values must be finite (DataError naming row and column), but for columns.
class DatasetWriter {
 public:
  /// `row_shape`: shape of one row, e.g. {D}. Throws DataError when the folder is not writable.
  DatasetWriter(std::filesystem::path path, DatasetKind kind, std::vector<std::uint64_t> row_shape);
  DatasetWriter(DatasetWriter&&) noexcept;
  ~DatasetWriter();

  std::uint64_t rows() const noexcept;
  std::uint64_t dim() const noexcept;

  /// `rows` [count × dim]; the number of rows follows from the size.
  void append(std::span<const float> rows);
  void append_ivar(std::span<const float> rows);
  void append_mask(std::span<const std::uint8_t> rows);
  /// Rows of /latents/<name>; type and row shape are fixed by the first call.
  void append_latent(const std::string& name, const std::vector<std::uint64_t>& row_shape, std::span<const float> values);
  void append_latent(const std::string& name, const std::vector<std::uint64_t>& row_shape, std::span<const std::int32_t> values);
  void append_latent(const std::string& name, const std::vector<std::uint64_t>& row_shape, std::span<const std::int64_t> values);
  /// Makes /latents/<name> a second name of an existing float32 dataset such as "ivar" (a hard link, no copy).
  void link_latent(const std::string& name, const std::string& existing);

  void append_object_ids(std::span<const std::int64_t> ids);
  void append_object_names(std::span<const std::string> names);
  void append_redshift(std::span<const double> redshift);
  void append_column(const std::string& name, std::span<const double> values);
  void append_column(const std::string& name, std::span<const std::string> values);

  void set_wavelength(const WavelengthAxis& axis);
  /// Text attribute of the root; "origin", "normalisation" and "provenance" are the documented ones.
  void set_attribute(const std::string& name, const std::string& text);

  /// Checks that every dataset has as many rows as the main one, writes everything out and moves the file into place.
  void close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Copies ids, names, redshifts, further columns, wavelengths and attributes from `source` (rows [first, first + count)), so
/// that derived files keep what identifies their rows. Call it once, after the rows were appended. `dim` must agree for the
/// wavelengths to be copied.
void copy_metadata(const DatasetReader& source, std::uint64_t first, std::uint64_t count, DatasetWriter& target);
/// The same for rows in any order.
void copy_metadata(const DatasetReader& source, std::span<const std::uint64_t> rows, DatasetWriter& target);

}  // namespace unchannel
