#include <png.h>

#include <array>
#include <bit>
#include <csetjmp>
#include <cstring>

#include <unchannel/base/error.hpp>

#include "image.hpp"

namespace unchannel {
namespace {

constexpr std::uint64_t kDeflateLimit = 1032;          // deflate packs no better than 1:1032, so a file cannot hold more bytes than that
constexpr png_alloc_size_t kMaxChunkBytes = 8U << 20;  // text and profiles, which nobody reads here

// libpng leaves by longjmp, so the functions that call it hold no object with a destructor.
class PngDecoder {
 public:
  explicit PngDecoder(std::string_view bytes) : rest_(bytes) {
    png_ = ::png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, ignore);
    if (png_ != nullptr) info_ = ::png_create_info_struct(png_);
    check<DataError>(info_ != nullptr, "not enough memory to decode it");
  }
  ~PngDecoder() { ::png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  bool read_header() {
    if (setjmp(escape_) != 0) return false;
    png_set_read_fn(png_, this, feed);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
    png_set_user_limits(png_, 1U << 30, 1U << 30);  // decode_png() sets the limit in pixels, with a better message
    png_set_chunk_malloc_max(png_, kMaxChunkBytes);
    png_read_info(png_, info_);
    return true;
  }
  /// After it a row is grey, grey and alpha, RGB or RGBA of 8 bits or of 16 in the processor's byte order.
  bool start() {
    if (setjmp(escape_) != 0) return false;
    png_set_expand(png_);  // palettes, 1, 2 and 4 bits, transparent colours
    if (std::endian::native == std::endian::little) png_set_swap(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  bool read_rows(png_bytepp rows) {
    if (setjmp(escape_) != 0) return false;
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);  // the checks of the last chunks
    return true;
  }

  std::uint64_t width() const { return png_get_image_width(png_, info_); }
  std::uint64_t height() const { return png_get_image_height(png_, info_); }
  std::uint32_t channels() const { return png_get_channels(png_, info_); }
  std::uint32_t bits() const { return png_get_bit_depth(png_, info_); }
  std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  std::string reason() const { return text_.data(); }

 private:
  static void fail(png_structp png, png_const_charp text) {
    auto* const self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::strncpy(self->text_.data(), text, self->text_.size() - 1);
    std::longjmp(self->escape_, 1);
  }
  static void ignore(png_structp, png_const_charp) {}  // about chunks that are not used
  static void feed(png_structp png, png_bytep out, std::size_t count) {
    auto* const self = static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (count > self->rest_.size()) png_error(png, "the file ends too early");
    std::memcpy(out, self->rest_.data(), count);
    self->rest_.remove_prefix(count);
  }

  std::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf escape_{};
  std::array<char, 160> text_{};
};

// Moves the colour planes of decoded rows into an image; an alpha plane must be opaque.
template <class T>
void unpack(const std::vector<unsigned char>& bytes, std::uint32_t channels, Image& image) {
  const std::size_t pixels = std::size_t{image.width} * image.height;
  for (std::size_t p = 0; p < pixels; ++p) {
    for (std::uint32_t c = 0; c < channels; ++c) {
      T level;
      std::memcpy(&level, bytes.data() + (p * channels + c) * sizeof(T), sizeof(T));
      if (c < image.planes) {
        image.levels[p * image.planes + c] = level;
      } else {
        check<DataError>(level == image.max_level, "PNG file with transparent pixels; lay it over a background first");
      }
    }
  }
}

}  // namespace

Image decode_png(std::string_view bytes) {
  PngDecoder decoder(bytes);
  const auto require = [&](bool good) { check<DataError>(good, "damaged PNG file: {}", decoder.reason()); };
  require(decoder.read_header());
  const std::uint64_t pixels = decoder.width() * decoder.height();
  check<DataError>(pixels <= kMaxImagePixels, "PNG file of {} x {} pixels; at most {} pixels are accepted", decoder.width(),
                   decoder.height(), kMaxImagePixels);
  check<DataError>(decoder.row_bytes() * decoder.height() / kDeflateLimit <= bytes.size(),
                   "damaged PNG file: {} bytes cannot hold the {} x {} pixels of its header", bytes.size(), decoder.width(),
                   decoder.height());
  require(decoder.start());
  const std::uint32_t channels = decoder.channels();
  Image image{static_cast<std::uint32_t>(decoder.height()),
              static_cast<std::uint32_t>(decoder.width()),
              channels >= 3 ? 3U : 1U,
              decoder.bits() == 16 ? 65535U : 255U,
              {}};
  std::vector<unsigned char> decoded(decoder.row_bytes() * image.height);
  std::vector<png_bytep> rows(image.height);
  for (std::size_t line = 0; line < rows.size(); ++line) rows[line] = decoded.data() + line * decoder.row_bytes();
  require(decoder.read_rows(rows.data()));
  image.levels.resize(std::size_t{image.width} * image.height * image.planes);
  if (image.max_level == 255) {
    unpack<std::uint8_t>(decoded, channels, image);
  } else {
    unpack<std::uint16_t>(decoded, channels, image);
  }
  return image;
}

}  // namespace unchannel
