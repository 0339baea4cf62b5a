#include "idx_import.hpp"

#include <array>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

NumberFormat parse_type(unsigned code, const std::string& place) {
  switch (code) {
    case 0x08:
      return {NumberKind::uint8, true};
    case 0x09:
      return {NumberKind::int8, true};
    case 0x0B:
      return {NumberKind::int16, true};
    case 0x0C:
      return {NumberKind::int32, true};
    case 0x0D:
      return {NumberKind::float32, true};
    case 0x0E:
      return {NumberKind::float64, true};
    default:
      throw DataError(fmt::format("{}: has element type 0x{:02X}; idx files know 0x08, 0x09 and 0x0B to 0x0E.", place, code));
  }
}

}  // namespace

ArrayStream read_idx(std::unique_ptr<ByteSource> source) {
  constexpr unsigned kMaxRank = 8;
  const std::string& place = source->place();
  std::array<char, 4> magic{};
  source->read_exactly(magic, "its header");
  const auto byte = [](char c) { return static_cast<unsigned>(static_cast<unsigned char>(c)); };
  check<DataError>(magic[0] == 0 && magic[1] == 0, "{}: is no idx file (it must begin with two zero bytes).", place);
  const NumberFormat format = parse_type(byte(magic[2]), place);
  const unsigned rank = byte(magic[3]);
  check<DataError>(rank >= 1 && rank <= kMaxRank, "{}: has {} axes; 1 to {} are accepted.", place, rank, kMaxRank);
  ArrayShape shape;
  for (unsigned axis = 0; axis < rank; ++axis) {
    std::array<char, 4> extent{};
    source->read_exactly(extent, "its header");
    shape.extents.push_back(byte(extent[0]) << 24 | byte(extent[1]) << 16 | byte(extent[2]) << 8 | byte(extent[3]));
  }
  return {shape, format, std::move(source), nullptr};
}

ArrayStream open_idx(const std::filesystem::path& path) { return read_idx(std::make_unique<FileSource>(path)); }

ImportReport import_idx(const std::filesystem::path& path, const IdxImportOptions& options, const std::filesystem::path& output,
                        const ImportProgress& progress) {
  ArrayStream array = open_idx(path);
  ArrayImportOptions chosen = options;
  if (chosen.layout.empty() && chosen.reshape.empty() && array.shape.extents.size() == 3) chosen.layout = "NHW";
  std::optional<std::vector<double>> labels;
  if (!options.labels.empty()) {
    ArrayStream numbers = open_idx(options.labels);
    labels = read_labels(numbers);
  }
  return import_array(std::move(array), std::move(labels), chosen, "idx: array of an idx file", output, progress);
}

}  // namespace unchannel
