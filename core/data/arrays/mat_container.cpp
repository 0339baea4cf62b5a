#include "mat_container.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <span>

#include <unchannel/base/error.hpp>

#include "../archive/archive_stream.hpp"
#include "array_layout.hpp"

// Source: "MAT-File Format", The MathWorks, level 5: a header of 128 bytes, then elements of a tag (type, bytes) and data.
namespace unchannel {
namespace {

constexpr std::uint32_t kMatrix = 14, kCompressed = 15;
constexpr std::size_t kPrefixBytes = std::size_t{64} << 10;  // holds what describes a variable; its numbers follow
constexpr std::size_t kMaxVariables = 10'000, kMaxRank = 32;
constexpr std::uint32_t kComplexFlag = 0x0800, kLogicalFlag = 0x0200;

struct MatClass {
  const char* name;
  std::optional<NumberKind> number;
};
constexpr MatClass kClasses[] = {{"unknown", {}},
                                 {"cell", {}},
                                 {"struct", {}},
                                 {"object", {}},
                                 {"char", {}},
                                 {"sparse", {}},
                                 {"double", NumberKind::float64},
                                 {"single", NumberKind::float32},
                                 {"int8", NumberKind::int8},
                                 {"uint8", NumberKind::uint8},
                                 {"int16", NumberKind::int16},
                                 {"uint16", NumberKind::uint16},
                                 {"int32", NumberKind::int32},
                                 {"uint32", NumberKind::uint32},
                                 {"int64", NumberKind::int64},
                                 {"uint64", NumberKind::uint64}};

// Bytes of one stored number by element type (miINT8 = 1 …); 0 for types that hold no numbers.
std::uint64_t stored_size(std::uint32_t type) {
  constexpr std::uint8_t kSizes[] = {0, 1, 1, 2, 2, 4, 4, 4, 0, 8, 0, 0, 8, 8};
  return type < std::size(kSizes) ? kSizes[type] : 0;
}

class Scanner {
 public:
  explicit Scanner(const std::filesystem::path& path) : place_(path.string()), file_(path, std::ios::binary) {
    std::error_code error;
    check<DataError>(std::filesystem::is_regular_file(path, error) && file_.good(), "{}: no such file. Check the path.", place_);
    left_ = std::filesystem::file_size(path, error);
    read_file_header();
  }

  std::vector<MatVariable> scan() {
    std::vector<MatVariable> variables;
    std::array<char, 8> tag{};
    while (left_ >= tag.size()) {
      take(tag.data(), tag.size());
      const std::uint32_t type = number(tag.data()), bytes = number(tag.data() + 4);
      check<DataError>(bytes <= left_, "{}: is cut off: its variable {} needs {} bytes more. Copy or download it again.", place_,
                       variables.size() + 1, bytes - left_);
      check<DataError>(variables.size() < kMaxVariables, "{}: has more than {} variables.", place_, kMaxVariables);
      variable_ = fmt::format("{}: variable {}", place_, variables.size() + 1);
      if (type == kCompressed) {
        variables.push_back(inflate_variable(bytes));
      } else {
        require(type == kMatrix, "is of no known type");
        variables.push_back(read_variable(bytes));
      }
    }
    check<DataError>(left_ == 0, "{}: is cut off: {} bytes are left behind its last variable.", place_, left_);
    return variables;
  }

 private:
  void require(bool good, std::string_view what) const {
    check<DataError>(good, "{}: is damaged: it {}. Copy or download it again.", variable_, what);
  }

  void read_file_header() {
    std::array<char, 128> header{};
    check<DataError>(left_ >= header.size(), "{}: is no MATLAB v5 file: it has {} bytes.", place_, left_);
    take(header.data(), header.size());
    const std::string_view order(header.data() + 126, 2);
    check<DataError>(order == "IM" || order == "MI", "{}: is no MATLAB v5 file. From MATLAB, save it with -v7.", place_);
    swap_ = (order == "MI") == (std::endian::native == std::endian::little);
    // The version is a number of two bytes; its high byte is 1 here and 2 in v7.3, which is HDF5.
    const unsigned version = static_cast<unsigned char>(header[order == "IM" ? 125 : 124]);
    check<DataError>(version == 1, "{}: is a MATLAB file of version {}{}. In MATLAB, save it with -v7.", place_, version,
                     version == 2 ? " (v7.3)" : "");
  }

  void take(char* out, std::size_t count) {
    file_.read(out, static_cast<std::streamsize>(count));
    check<DataError>(static_cast<std::size_t>(file_.gcount()) == count, "{}: cannot be read to its end.", place_);
    left_ -= count;
  }

  std::uint32_t number(const char* bytes) const {
    std::array<char, 4> raw{bytes[0], bytes[1], bytes[2], bytes[3]};
    if (swap_) std::reverse(raw.begin(), raw.end());
    return std::bit_cast<std::uint32_t>(raw);
  }

  MatVariable read_variable(std::uint64_t bytes) {
    std::string prefix(std::min<std::uint64_t>(bytes, kPrefixBytes), '\0');
    take(prefix.data(), prefix.size());
    file_.seekg(static_cast<std::streamoff>(bytes - prefix.size()), std::ios::cur);
    left_ -= bytes - prefix.size();
    return describe(prefix, bytes);
  }

  MatVariable inflate_variable(std::uint64_t bytes) {
    struct Inflater {
      z_stream stream{};
      bool ready = ::inflateInit(&stream) == Z_OK;
      ~Inflater() {
        if (ready) ::inflateEnd(&stream);
      }
    } inflater;
    check<DataError>(inflater.ready, "{}: not enough memory to unpack it.", place_);
    std::string prefix, in(kPrefixBytes, '\0'), out(kPrefixBytes, '\0');
    std::uint64_t total = 0;
    int status = Z_OK;
    while (status != Z_STREAM_END) {
      if (inflater.stream.avail_in == 0) {
        require(bytes > 0, "ends in the middle of its compressed data");
        const std::size_t count = std::min<std::uint64_t>(bytes, in.size());
        take(in.data(), count);
        bytes -= count;
        inflater.stream.next_in = reinterpret_cast<Bytef*>(in.data());
        inflater.stream.avail_in = static_cast<uInt>(count);
      }
      inflater.stream.next_out = reinterpret_cast<Bytef*>(out.data());
      inflater.stream.avail_out = static_cast<uInt>(out.size());
      status = ::inflate(&inflater.stream, Z_NO_FLUSH);
      require(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, "cannot be inflated, or its checksum is wrong");
      const std::size_t count = out.size() - inflater.stream.avail_out;
      total += count;
      prefix.append(out, 0, std::min(count, kPrefixBytes - std::min(prefix.size(), kPrefixBytes)));
      // Its own tag limits what it may inflate to, so that a bomb ends here.
      if (prefix.size() >= 8) require(total <= std::uint64_t{number(prefix.data() + 4)} + 16, "inflates to more bytes than it says");
    }
    if (bytes > 0) {
      file_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
      left_ -= bytes;
    }
    require(prefix.size() >= 8 && number(prefix.data()) == kMatrix, "is no array");
    const std::uint64_t content = number(prefix.data() + 4);
    require(content + 8 <= total, "inflates to fewer bytes than it says");
    return describe(std::string_view(prefix).substr(8), content);
  }

  // A part of a variable: tag and, for up to 4 bytes, the data within it.
  struct Part {
    std::uint32_t type = 0;
    std::uint64_t bytes = 0;
    std::size_t data = 0, next = 0;  // places in the prefix
  };

  Part part_at(std::string_view prefix, std::size_t at) const {
    require(at + 8 <= prefix.size(), "has no complete description");
    const std::uint32_t first = number(prefix.data() + at);
    if (first >> 16 != 0) {
      require(first >> 16 <= 4, "has a part of impossible size");
      return {first & 0xFFFF, first >> 16, at + 4, at + 8};
    }
    const std::uint64_t bytes = number(prefix.data() + at + 4);
    return {first, bytes, at + 8, at + 8 + (bytes + 7) / 8 * 8};
  }

  MatVariable describe(std::string_view prefix, std::uint64_t content) const {
    if (content == 0) return {"", "empty", {}, false, {}};
    const Part flags = part_at(prefix, 0);
    require(flags.type == 6 && flags.bytes == 8 && flags.next <= prefix.size(), "has no array flags");
    const std::uint32_t word = number(prefix.data() + flags.data), code = word & 0xFF;
    MatVariable variable;
    variable.kind = code < std::size(kClasses) ? kClasses[code].name : "opaque";
    if (code >= std::size(kClasses) || code == 0) return variable;  // function handles and the like have another inside
    const Part extents = part_at(prefix, flags.next);
    require(extents.type == 5 && extents.bytes % 4 == 0 && extents.bytes <= 4 * kMaxRank && extents.next <= prefix.size(),
            "has no extents");
    for (std::size_t k = 0; k < extents.bytes / 4; ++k) {
      const std::uint32_t extent = number(prefix.data() + extents.data + 4 * k);
      require(extent >> 31 == 0, "has a negative extent");
      variable.extents.push_back(extent);
    }
    const Part name = part_at(prefix, extents.next);
    require(name.type == 1 && name.bytes <= 4096 && name.data + name.bytes <= prefix.size(), "has no name");
    variable.name = printable(std::string(prefix.substr(name.data, name.bytes)));
    if ((word & kComplexFlag) != 0) variable.kind = "complex " + variable.kind;
    if (!kClasses[code].number || (word & kComplexFlag) != 0) return variable;
    variable.number = kClasses[code].number;
    variable.logical = (word & kLogicalFlag) != 0;
    check_numbers(variable, prefix, name.next, content);
    return variable;
  }

  void check_numbers(const MatVariable& variable, std::string_view prefix, std::size_t at, std::uint64_t content) const {
    const std::uint64_t elements = ArrayShape{variable.extents, true}.elements();
    if (elements == 0) return;
    const Part numbers = part_at(prefix, at);
    const std::uint64_t size = stored_size(numbers.type);
    require(size > 0 && numbers.bytes % size == 0 && numbers.bytes / size == elements && numbers.data + numbers.bytes <= content,
            fmt::format("holds {} bytes of numbers where its extents {} need {} numbers", numbers.bytes, shape_text(variable.extents),
                        elements));
  }

  std::string place_, variable_;
  std::ifstream file_;
  std::uint64_t left_ = 0;
  bool swap_ = false;
};

}  // namespace

std::vector<MatVariable> scan_mat(const std::filesystem::path& path) { return Scanner(path).scan(); }

}  // namespace unchannel
