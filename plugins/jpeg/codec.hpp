// JPEG compression and decompression of one image after another, all of one format, with libjpeg-turbo. Memory is kept from image to image;
// any failure leaves the codec ready for the next one. It knows nothing of channels.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs FILE
#include <memory>
#include <vector>

#include <jpeglib.h>

#include "pixel_loops.hpp"

#ifndef JCS_EXTENSIONS
#error "libjpeg-turbo is needed: plain libjpeg has no JCS_EXT_RGBX (Debian: libjpeg62-turbo-dev)."
#endif

namespace jpeg {

struct ImageFormat {
  int width = 0, height = 0;
  bool colour = false;    ///< false: grey
  int chroma_step_x = 1;  ///< luma pixels for each chroma pixel: 1, 1: 4:4:4; 2, 1: 4:2:2; 2, 2: 4:2:0
  int chroma_step_y = 1;
  J_DCT_METHOD dct = JDCT_ISLOW;  ///< in both directions
};

/// How the coefficients of an image get from the compressor to the decompressor. Huffman coding loses nothing, so both give the same bits.
enum class Route {
  kStream,        ///< through a JPEG stream
  kCoefficients,  ///< as they are; the stream holds the headers alone. Images above kMostBlocks, and a libjpeg without jpegint.h: as
                  ///< kStream
};

enum class Outcome { kOk, kNotFinite, kOutOfMemory, kFailed };

class Codec {
 public:
  /// 128 bytes each: 64 MiB, an image of 22 million pixels at 4:2:0.
  static constexpr size_t kMostBlocks = size_t{1} << 19;

  Codec(const ImageFormat& format, const Scaling& scaling, Route route = Route::kCoefficients);
  ~Codec();
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  /// planes: [3 or 1][height][width] · quality: 1 … 100, libjpeg's scale with baseline tables.
  Outcome compress(const float* planes, int quality) noexcept;
  /// Of what compress wrote last, into planes of the same shape.
  Outcome decompress(float* planes) noexcept;

  /// What compress wrote. Tables that the decompressor already has are left out, and coefficients with that route: it is no JPEG file.
  uint8_t* stream() { return stream_.get(); }
  [[nodiscard]] size_t stream_bytes() const { return stream_bytes_; }

 private:
  struct ErrorManager : jpeg_error_mgr {
    std::jmp_buf escape;
  };
  struct Destination : jpeg_destination_mgr {
    Codec* codec;
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  static_assert(sizeof(JSAMPLE) == 1);

  void create();
  void hold_coefficients();
  void supply_coefficients();
  static boolean keep_blocks(j_compress_ptr info, JBLOCKROW* blocks);
  static boolean give_blocks(j_decompress_ptr info, JBLOCKROW* blocks);
  Outcome fail(Outcome outcome) noexcept;
  bool pack(const float* planes, int row, int rows);
  void unpack(int row, int rows, float* planes);
  static void leave(j_common_ptr info);
  static void restart_output(j_compress_ptr info);
  static boolean grow_output(j_compress_ptr info);
  static void end_output(j_compress_ptr info);

  ImageFormat format_;
  Scaling scaling_;
  Route route_;
  ErrorManager errors_{};
  Destination destination_{};
  jpeg_compress_struct compress_{};
  jpeg_decompress_struct decompress_{};
  bool created_ = false;
  int quality_ = 0;  ///< whose tables both sides hold
  /// [rows][width], a part of the image that stays in the first cache: red, green, blue, ignored; grey comes out as one byte a pixel.
  std::vector<uint32_t> strip_;
  std::vector<JSAMPROW> rows_in_, rows_out_;
  std::unique_ptr<uint8_t[], Free> stream_;
  size_t stream_capacity_, stream_bytes_ = 0;
  std::unique_ptr<JBLOCK[], Free> blocks_;  ///< in the order in which both sides go through the image
  size_t block_capacity_ = 0, kept_ = 0, given_ = 0;
};

}  // namespace jpeg
