#include <cstdio>  // jpeglib.h needs it and does not include it

#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <csetjmp>

#include <unchannel/base/error.hpp>

#include "image.hpp"

namespace unchannel {
namespace {

constexpr int kMaxScans = 200;             // of a progressive file; each one costs a pass over the whole picture
constexpr long kMaxCodecBytes = 1L << 30;  // what libjpeg itself may take

// libjpeg leaves by longjmp, so the functions that call it hold no object with a destructor, and its callbacks throw nothing.
class JpegDecoder {
 public:
  explicit JpegDecoder(std::string_view bytes) : bytes_(bytes) {
    info_.err = ::jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) { leave(info); };
    // A warning means damaged data that libjpeg would fill with grey: as bad as an error here.
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0) leave(info);
    };
    errors_.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = [](j_common_ptr info) {
      auto* const self = static_cast<JpegDecoder*>(info->client_data);
      if (self->info_.input_scan_number > kMaxScans) {
        self->too_many_scans_ = true;
        std::longjmp(self->escape_, 1);
      }
    };
  }
  ~JpegDecoder() { ::jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  /// False when libjpeg gave up; reason() then says why. Sizes and colour space are in info().
  bool read_header() {
    if (setjmp(escape_) != 0) return false;
    jpeg_create_decompress(&info_);
    info_.client_data = this;
    info_.progress = &progress_;
    info_.mem->max_memory_to_use = kMaxCodecBytes;
    ::jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    ::jpeg_read_header(&info_, TRUE);
    return true;
  }

  /// `row` [width × planes] is filled and `use(row index)` is to be called by the caller for each.
  bool start(J_COLOR_SPACE space) {
    if (setjmp(escape_) != 0) return false;
    info_.out_color_space = space;
    info_.dct_method = JDCT_ISLOW;
    ::jpeg_start_decompress(&info_);
    return true;
  }
  bool read_row(unsigned char* row) {
    if (setjmp(escape_) != 0) return false;
    ::jpeg_read_scanlines(&info_, &row, 1);
    return true;
  }
  bool finish() {
    if (setjmp(escape_) != 0) return false;
    ::jpeg_finish_decompress(&info_);
    return true;
  }

  const jpeg_decompress_struct& info() const { return info_; }
  std::string reason() const { return too_many_scans_ ? fmt::format("has more than {} scans", kMaxScans) : text_.data(); }

 private:
  static void leave(j_common_ptr info) {
    auto* const self = static_cast<JpegDecoder*>(info->client_data);
    info->err->format_message(info, self->text_.data());
    std::longjmp(self->escape_, 1);
  }

  std::string_view bytes_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf escape_{};
  std::array<char, JMSG_LENGTH_MAX> text_{};
  bool too_many_scans_ = false;
};

}  // namespace

Image decode_jpeg(std::string_view bytes) {
  JpegDecoder decoder(bytes);
  const auto require = [&](bool good) { check<DataError>(good, "damaged JPEG file: {}", decoder.reason()); };
  require(decoder.read_header());
  const jpeg_decompress_struct& info = decoder.info();
  check<DataError>(info.num_components == 1 || info.num_components == 3,
                   "JPEG file of {} colour components (CMYK?); grey and RGB are read. Convert it", info.num_components);
  const std::uint64_t pixels = std::uint64_t{info.image_width} * info.image_height;
  check<DataError>(pixels > 0 && pixels <= kMaxImagePixels, "JPEG file of {} x {} pixels; at most {} pixels are accepted", info.image_width,
                   info.image_height, kMaxImagePixels);
  require(decoder.start(info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB));
  Image image{info.output_height, info.output_width, static_cast<std::uint32_t>(info.output_components), 255, {}};
  const std::size_t row_size = std::size_t{image.width} * image.planes;
  image.levels.resize(row_size * image.height);
  std::vector<unsigned char> row(row_size);
  for (std::size_t line = 0; line < image.height; ++line) {
    require(decoder.read_row(row.data()));
    std::copy(row.begin(), row.end(), image.levels.begin() + static_cast<std::ptrdiff_t>(line * row_size));
  }
  require(decoder.finish());
  return image;
}

}  // namespace unchannel
