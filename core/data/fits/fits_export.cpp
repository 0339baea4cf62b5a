#include "fits_export.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

#include "../spectra/log_lambda_grid.hpp"
#include "fits_writer.hpp"

namespace unchannel {
namespace {

constexpr const char* kAction = "writing (is the disk full?)";
constexpr std::uint64_t kBlockBytes = std::uint64_t{4} << 20;

std::uint64_t block_rows(const DatasetReader& source) { return std::max<std::uint64_t>(1, kBlockBytes / (source.dim() * sizeof(float))); }

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

void create_image(fits::File& file, const DatasetReader& source, int bits, const std::string& name) {
  // FITS counts axes from the fastest.
  std::vector<LONGLONG> axes(source.row_shape().rbegin(), source.row_shape().rend());
  axes.push_back(static_cast<LONGLONG>(source.rows()));
  int status = 0;
  ::fits_create_imgll(file.get(), bits, static_cast<int>(axes.size()), axes.data(), &status);
  fits::require(status, file.place(), kAction);
  fits::write_key(file, "EXTNAME", name, "");
}

// λ(p) = CRVAL1 exp(CDELT1 (p − CRPIX1)/CRVAL1): CDELT1 is the step in Å at the reference pixel (Greisen et al. 2006, FITS paper III).
void write_wavelength_keys(fits::File& file, const WavelengthAxis& axis) {
  if (!is_log_linear(axis.angstrom)) return;
  const double first = axis.angstrom.front();
  const double step = std::log(axis.angstrom.back() / first) / static_cast<double>(axis.angstrom.size() - 1);
  fits::write_key(file, "CTYPE1", axis.medium == "vacuum" ? "WAVE-LOG" : "AWAV-LOG", axis.medium + " wavelength, " + axis.frame + " frame");
  fits::write_key(file, "CUNIT1", std::string("Angstrom"), "");
  fits::write_key(file, "CRPIX1", 1.0, "");
  fits::write_key(file, "CRVAL1", first, "wavelength of the first pixel");
  fits::write_key(file, "CDELT1", first * step, "CRVAL1 times the step in ln(wavelength)");
  if (axis.frame == "rest") fits::write_key(file, "SPECSYS", std::string("SOURCE"), "wavelengths in the rest frame of the object");
}

// Copies an image in blocks; `read(first, count, buffer)` delivers rows.
template <class T, class Read>
void copy_image(fits::File& file, const DatasetReader& source, int type, Read&& read) {
  const std::uint64_t step = block_rows(source);
  std::vector<T> buffer;
  for (std::uint64_t first = 0; first < source.rows(); first += step) {
    const std::uint64_t count = std::min(step, source.rows() - first);
    buffer.resize(count * source.dim());
    read(first, count, buffer);
    int status = 0;
    ::fits_write_img(file.get(), type, static_cast<LONGLONG>(first * source.dim() + 1), static_cast<LONGLONG>(buffer.size()), buffer.data(),
                     &status);
    fits::require(status, file.place(), kAction);
  }
  fits::write_checksum(file);
}

void write_images(fits::File& file, const DatasetReader& source) {
  create_image(file, source, FLOAT_IMG, upper(std::string(to_string(source.kind()))));
  if (source.wavelength()) write_wavelength_keys(file, *source.wavelength());
  copy_image<float>(file, source, TFLOAT, [&](auto first, auto count, auto& out) { source.read_rows(first, count, out); });
  if (source.has_ivar()) {
    create_image(file, source, FLOAT_IMG, "IVAR");
    copy_image<float>(file, source, TFLOAT, [&](auto first, auto count, auto& out) { source.read_ivar(first, count, out); });
  }
  if (source.has_mask()) {
    create_image(file, source, BYTE_IMG, "MASK");
    fits::write_key(file, "MASKTRUE", std::int64_t{1}, "value of bad or missing pixels");
    copy_image<std::uint8_t>(file, source, TBYTE, [&](auto first, auto count, auto& out) { source.read_mask(first, count, out); });
  }
}

void write_wavelength_table(fits::File& file, const WavelengthAxis& axis) {
  fits::create_table(file, "WAVELENGTH", static_cast<std::int64_t>(axis.angstrom.size()), {{"wavelength", "1D"}}, {"Angstrom"});
  fits::write_key(file, "MEDIUM", axis.medium, "vacuum or air");
  fits::write_key(file, "FRAME", axis.frame, "rest or observed");
  fits::write_column(file, 1, axis.angstrom);
  fits::write_checksum(file);
}

void write_objects(fits::File& file, const DatasetReader& source) {
  const fits::ObjectColumns columns = fits::read_object_columns(source);
  std::vector<std::pair<std::string, std::string>> formats;
  for (const auto& [name, values] : columns.integers) formats.emplace_back(name, "1K");
  for (const auto& [name, values] : columns.numbers) formats.emplace_back(name, "1D");
  for (const auto& [name, values] : columns.texts) {
    std::size_t width = 1;
    for (const std::string& value : values) width = std::max(width, value.size());
    formats.emplace_back(name, fmt::format("{}A", width));
  }
  fits::create_table(file, "OBJECTS", static_cast<std::int64_t>(source.rows()), formats, std::vector<std::string>(formats.size()));
  int number = 0;
  for (const auto& [name, values] : columns.integers) fits::write_column(file, ++number, values);
  for (const auto& [name, values] : columns.numbers) fits::write_column(file, ++number, values);
  for (const auto& [name, values] : columns.texts) fits::write_column(file, ++number, values);
  fits::write_checksum(file);
}

void create_primary(fits::File& file, const DatasetReader& source, const std::string& sha256) {
  int status = 0;
  ::fits_create_img(file.get(), BYTE_IMG, 0, nullptr, &status);
  fits::require(status, file.place(), kAction);
  fits::write_provenance(file, source, sha256);
}

// A name that is safe as a file name whatever an untrusted file calls its objects.
std::string file_name(const fits::ObjectColumns& columns, std::uint64_t row) {
  for (const auto& [name, values] : columns.texts) {
    if (name != "object_name" || values[row].empty()) continue;
    std::string safe = values[row].substr(0, 100);
    for (char& c : safe) {
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '+' && c != '.') c = '_';
    }
    return "spectrum-" + safe + ".fits";
  }
  for (const auto& [name, values] : columns.integers) {
    if (name == "object_id") return fmt::format("spectrum-{}.fits", values[row]);
  }
  return fmt::format("spectrum-row-{}.fits", row);
}

// HIERARCH keywords keep the columns' own names.
void write_object_keys(fits::File& file, const fits::ObjectColumns& columns, std::uint64_t row) {
  for (const auto& [name, values] : columns.integers) fits::write_key(file, "HIERARCH " + name, values[row], "");
  for (const auto& [name, values] : columns.numbers) fits::write_key(file, "HIERARCH " + name, values[row], "");
  for (const auto& [name, values] : columns.texts) fits::write_key(file, "HIERARCH " + name, values[row], "");
}

void write_row_table(fits::File& file, const DatasetReader& source, std::uint64_t row) {
  std::vector<std::pair<std::string, std::string>> columns;
  std::vector<std::string> units;
  std::vector<std::vector<double>> values;
  std::vector<float> buffer(source.dim());
  const auto add = [&](const char* name, const char* format, const char* unit, std::vector<double> column) {
    columns.emplace_back(name, format);
    units.emplace_back(unit);
    values.push_back(std::move(column));
  };
  if (source.wavelength()) add("wavelength", "1D", "Angstrom", source.wavelength()->angstrom);
  source.read_rows(row, 1, buffer);
  add("flux", "1E", "", {buffer.begin(), buffer.end()});
  if (source.has_ivar()) {
    source.read_ivar(row, 1, buffer);
    add("ivar", "1E", "", {buffer.begin(), buffer.end()});
  }
  if (source.has_mask()) {
    std::vector<std::uint8_t> mask(source.dim());
    source.read_mask(row, 1, mask);
    add("mask", "1B", "", {mask.begin(), mask.end()});
  }
  fits::create_table(file, "SPECTRUM", static_cast<std::int64_t>(source.dim()), columns, units);
  if (source.wavelength()) {
    fits::write_key(file, "MEDIUM", source.wavelength()->medium, "vacuum or air");
    fits::write_key(file, "FRAME", source.wavelength()->frame, "rest or observed");
  }
  for (std::size_t k = 0; k < values.size(); ++k) fits::write_column(file, static_cast<int>(k) + 1, values[k]);
  fits::write_checksum(file);
}

}  // namespace

void export_fits(const DatasetReader& source, const std::filesystem::path& output) {
  const fits::Lock lock;
  AtomicFile target(output);
  fits::File file = fits::File::create(target.path(), output.string());
  create_primary(file, source, sha256_file(source.path()));
  fits::write_checksum(file);
  write_images(file, source);
  if (source.wavelength()) write_wavelength_table(file, *source.wavelength());
  write_objects(file, source);
  file.close();
  target.commit();
}

std::uint64_t export_fits_rows(const DatasetReader& source, const std::filesystem::path& folder) {
  const fits::Lock lock;
  check<DataError>(source.row_shape().size() == 1,
                   "{}: its rows have {} axes; one FITS file a row needs rows of rank 1. Export to one file.", source.path().string(),
                   source.row_shape().size());
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check<DataError>(!error, "{}: cannot be made: {}.", folder.string(), error.message());
  const fits::ObjectColumns columns = fits::read_object_columns(source);
  const std::string sha256 = sha256_file(source.path());
  std::set<std::string> names;
  for (std::uint64_t row = 0; row < source.rows(); ++row) {
    std::string name = file_name(columns, row);
    if (!names.insert(name).second) names.insert(name = fmt::format("spectrum-row-{}.fits", row));
    const std::filesystem::path path = folder / name;
    check<DataError>(!std::filesystem::exists(path, error), "{}: exists already; export into an empty folder.", path.string());
    AtomicFile target(path);
    fits::File file = fits::File::create(target.path(), path.string());
    create_primary(file, source, sha256);
    write_object_keys(file, columns, row);
    fits::write_checksum(file);
    write_row_table(file, source, row);
    file.close();
    target.commit();
  }
  return source.rows();
}

}  // namespace unchannel
