#include "npy_export.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <variant>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::uint64_t kBlockBytes = std::uint64_t{4} << 20;

template <class T>
constexpr const char* descr() {
  if constexpr (std::is_same_v<T, float>) return "<f4";
  if constexpr (std::is_same_v<T, double>) return "<f8";
  if constexpr (std::is_same_v<T, std::int32_t>) return "<i4";
  if constexpr (std::is_same_v<T, std::int64_t>) return "<i8";
  return "|u1";
}

// numpy.lib.format: the header's text is padded with spaces and a line feed so that the numbers begin at a multiple of 64 bytes.
std::string header(const char* descr, const std::vector<std::uint64_t>& shape) {
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr, fmt::join(shape, ", "),
                                 shape.size() == 1 ? "," : "");
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(text.size() & 0xFF);
  bytes += static_cast<char>(text.size() >> 8);
  return bytes + text;
}

class NpyWriter {
 public:
  explicit NpyWriter(const std::filesystem::path& output)
      : target_(output), place_(output.string()), file_(target_.path(), std::ios::binary | std::ios::trunc) {}

  void begin(const char* descr, std::uint64_t rows, std::vector<std::uint64_t> row_shape) {
    row_shape.insert(row_shape.begin(), rows);
    const std::string text = header(descr, row_shape);
    file_.write(text.data(), static_cast<std::streamsize>(text.size()));
    require();
  }
  template <class T>
  void write(const std::vector<T>& values) {
    static_assert(std::endian::native == std::endian::little, "the header says little endian");
    file_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
    require();
  }
  void commit() {
    file_.close();
    require();
    target_.commit();
  }

 private:
  void require() const { check<DataError>(file_.good(), "{}: cannot be written (is the disk full?).", place_); }

  AtomicFile target_;
  std::string place_;
  std::ofstream file_;
};

// Rows in blocks; `read(first, count, buffer)` delivers them.
template <class T, class Read>
void copy_rows(NpyWriter& writer, const DatasetReader& source, Read&& read) {
  writer.begin(descr<T>(), source.rows(), source.row_shape());
  const std::uint64_t step = std::max<std::uint64_t>(1, kBlockBytes / (source.dim() * sizeof(T)));
  std::vector<T> block;
  for (std::uint64_t first = 0; first < source.rows(); first += step) {
    const std::uint64_t count = std::min(step, source.rows() - first);
    block.resize(count * source.dim());
    read(first, count, block);
    writer.write(block);
  }
}

void copy_latent(NpyWriter& writer, const DatasetReader& source, const LatentInfo& latent) {
  const std::uint64_t step = std::max<std::uint64_t>(1, kBlockBytes / (latent.row_size * sizeof(std::int64_t)));
  for (std::uint64_t first = 0; first < source.rows(); first += step) {
    const LatentValues block = source.read_latent(latent.name, first, std::min(step, source.rows() - first));
    std::visit(
        [&]<class T>(const std::vector<T>& values) {
          if (first == 0) writer.begin(descr<T>(), source.rows(), latent.row_shape);
          writer.write(values);
        },
        block);
  }
}

std::vector<std::string> dataset_names(const DatasetReader& source) {
  std::vector<std::string> names{std::string(to_string(source.kind()))};
  if (source.has_ivar()) names.emplace_back("ivar");
  if (source.has_mask()) names.emplace_back("mask");
  for (const LatentInfo& latent : source.latents()) names.push_back("latents/" + latent.name);
  for (const std::string& column : source.numeric_columns()) names.push_back(column);
  return names;
}

}  // namespace

void export_npy(const DatasetReader& source, const std::string& dataset, const std::filesystem::path& output) {
  const std::vector<std::string> names = dataset_names(source);
  const std::string name = dataset.empty() ? names.front() : dataset;
  check<DataError>(std::find(names.begin(), names.end(), name) != names.end(), "{}: has no numbers called {}.{} It has {}.",
                   source.path().string(), name, did_you_mean(name, names), fmt::join(names, ", "));
  NpyWriter writer(output);
  if (name == names.front()) {
    copy_rows<float>(writer, source, [&](auto first, auto count, auto& out) { source.read_rows(first, count, out); });
  } else if (name == "ivar") {
    copy_rows<float>(writer, source, [&](auto first, auto count, auto& out) { source.read_ivar(first, count, out); });
  } else if (name == "mask") {
    copy_rows<std::uint8_t>(writer, source, [&](auto first, auto count, auto& out) { source.read_mask(first, count, out); });
  } else if (name.starts_with("latents/")) {
    copy_latent(writer, source, source.latent(name.substr(8)));
  } else if (name == "object_id") {
    writer.begin(descr<std::int64_t>(), source.rows(), {});
    writer.write(*source.object_ids());
  } else {
    writer.begin(descr<double>(), source.rows(), {});
    writer.write(*source.numeric_column(name));
  }
  writer.commit();
}

}  // namespace unchannel
