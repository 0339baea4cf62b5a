#include "codec.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <jerror.h>

#if __has_include(<jpegint.h>)
#define JPEG_HAS_ENTROPY_MODULES 1
extern "C" {
#include <jpegint.h>
}
#else
#define JPEG_HAS_ENTROPY_MODULES 0
#endif

namespace jpeg {

// longjmp leaves libjpeg's C frames only: the functions that call setjmp hold no object with a destructor, and the callbacks below throw
// nothing. A complete jpeg_error_mgr of our own instead of jpeg_std_error: nothing is ever printed, and libjpeg's message texts with their
// reference to stderr, which a shared library cannot take from Debian's libjpeg.a, stay out of the plugin.

void Codec::leave(j_common_ptr info) { std::longjmp(static_cast<ErrorManager*>(info->err)->escape, 1); }

namespace {

constexpr int kStripBytes = 16384;
constexpr int kPackedBytes = 4;  ///< of a pixel that goes into the compressor
constexpr int kTallestMcu = 16;  ///< luma rows that libjpeg compresses at once
/// Bytes behind the stream that the decompressor is told of and never needs: its fast Huffman decoder runs only while 512 bytes for each of
/// up to 6 blocks are left, so a small image would never see it, and a large one not in its last part.
constexpr size_t kFiller = 6 * 512;

int strip_rows(const ImageFormat& format) {
  const int fitting = kStripBytes / (format.width * kPackedBytes) / kTallestMcu * kTallestMcu;
  return std::min(format.height, std::max(kTallestMcu, fitting));
}

}  // namespace

Codec::Codec(const ImageFormat& format, const Scaling& scaling, Route route)
    : format_(format),
      scaling_(scaling),
      route_(route),
      stream_capacity_(4096 + static_cast<size_t>(format.width) * static_cast<size_t>(format.height) / 2) {
  const auto rows = static_cast<size_t>(strip_rows(format));
  strip_.resize(rows * static_cast<size_t>(format.width));
  const int bytes_out = format.colour ? kPackedBytes : 1;
  for (size_t row = 0; row < rows; ++row) {
    const auto first = static_cast<JSAMPROW>(static_cast<void*>(strip_.data()));
    rows_in_.push_back(first + row * static_cast<size_t>(format.width * kPackedBytes));
    rows_out_.push_back(first + row * static_cast<size_t>(format.width * bytes_out));
  }
  stream_.reset(static_cast<uint8_t*>(std::malloc(stream_capacity_ + kFiller)));
  if (!stream_) {
    throw std::bad_alloc();
  }
  errors_.error_exit = &leave;
  errors_.emit_message = [](j_common_ptr info, int level) { info->err->num_warnings += level < 0 ? 1 : 0; };
  errors_.output_message = [](j_common_ptr) {};
  errors_.format_message = [](j_common_ptr, char* text) { *text = '\0'; };
  errors_.reset_error_mgr = [](j_common_ptr info) { info->err->num_warnings = 0, info->err->msg_code = 0; };
  destination_.codec = this;
  destination_.init_destination = &restart_output;
  destination_.empty_output_buffer = &grow_output;
  destination_.term_destination = &end_output;
  compress_.err = decompress_.err = &errors_;
  compress_.client_data = decompress_.client_data = this;
}

Codec::~Codec() {
  jpeg_destroy_compress(&compress_);
  jpeg_destroy_decompress(&decompress_);
}

/// libjpeg reports through errors_: call it only below a setjmp.
void Codec::create() {
  jpeg_create_compress(&compress_);
  compress_.dest = &destination_;
  compress_.image_width = static_cast<JDIMENSION>(format_.width);
  compress_.image_height = static_cast<JDIMENSION>(format_.height);
  compress_.input_components = kPackedBytes;
  compress_.in_color_space = JCS_EXT_RGBX;
  jpeg_set_defaults(&compress_);
  if (!format_.colour) {
    // Grey goes in as three equal colours. The weights of luma add up to exactly 1 in libjpeg's fixed point, so it comes out unchanged, and
    // libjpeg-turbo has vector code for this, but a loop over single bytes, a sixth of the whole time, for rows that are grey already.
    jpeg_set_colorspace(&compress_, JCS_GRAYSCALE);
  }
  compress_.dct_method = format_.dct;
  compress_.write_JFIF_header = FALSE;  // nobody reads it
  compress_.comp_info[0].h_samp_factor = format_.colour ? format_.chroma_step_x : 1;
  compress_.comp_info[0].v_samp_factor = format_.colour ? format_.chroma_step_y : 1;
  jpeg_create_decompress(&decompress_);
  quality_ = 0;
  created_ = true;
}

/// Both structs start anew: after an error they may disagree about the tables.
Outcome Codec::fail(Outcome outcome) noexcept {
  jpeg_destroy_compress(&compress_);
  jpeg_destroy_decompress(&decompress_);
  created_ = false;
  stream_bytes_ = kept_ = 0;
  return outcome;
}

Outcome Codec::compress(const float* planes, int quality) noexcept {
  if (setjmp(errors_.escape) != 0) {
    return fail(errors_.msg_code == JERR_OUT_OF_MEMORY ? Outcome::kOutOfMemory : Outcome::kFailed);
  }
  if (!created_) {
    create();
  }
  if (quality != quality_) {
    jpeg_set_quality(&compress_, quality, TRUE);
    quality_ = quality;
  }
  // FALSE: tables that went into an earlier stream are not written again. The decompressor keeps them ("abbreviated datastreams" in
  // libjpeg.txt), which saves both sides the Huffman tables and, with an unchanged quality, the quantisation tables.
  jpeg_start_compress(&compress_, FALSE);
  hold_coefficients();
  while (compress_.next_scanline < compress_.image_height) {
    const auto row = static_cast<int>(compress_.next_scanline);
    const int rows = std::min(static_cast<int>(rows_in_.size()), format_.height - row);
    if (!pack(planes, row, rows)) {
      return fail(Outcome::kNotFinite);
    }
    if (jpeg_write_scanlines(&compress_, rows_in_.data(), static_cast<JDIMENSION>(rows)) != static_cast<JDIMENSION>(rows)) {
      return fail(Outcome::kFailed);  // never: only a destination that suspends stops early
    }
  }
  jpeg_finish_compress(&compress_);
  return Outcome::kOk;
}

Outcome Codec::decompress(float* planes) noexcept {
  if (setjmp(errors_.escape) != 0) {
    return fail(errors_.msg_code == JERR_OUT_OF_MEMORY ? Outcome::kOutOfMemory : Outcome::kFailed);
  }
  if (!created_) {
    return Outcome::kFailed;
  }
  jpeg_mem_src(&decompress_, stream_.get(), stream_bytes_ + kFiller);
  jpeg_read_header(&decompress_, TRUE);
  if (decompress_.image_width != compress_.image_width || decompress_.image_height != compress_.image_height) {
    return fail(Outcome::kFailed);  // before libjpeg reserves memory for it
  }
  given_ = 0;
  decompress_.out_color_space = format_.colour ? JCS_EXT_RGBX : JCS_GRAYSCALE;
  decompress_.dct_method = format_.dct;
  jpeg_start_decompress(&decompress_);
  supply_coefficients();
  for (int row = 0; row < format_.height;) {
    const int rows = std::min(static_cast<int>(rows_in_.size()), format_.height - row);
    for (int done = 0; done < rows;) {
      done += static_cast<int>(jpeg_read_scanlines(&decompress_, rows_out_.data() + done, static_cast<JDIMENSION>(rows - done)));
    }
    unpack(row, rows, planes);
    row += rows;
  }
  jpeg_finish_decompress(&decompress_);
  return errors_.num_warnings == 0 ? Outcome::kOk : fail(Outcome::kFailed);  // a stream of our own has nothing to warn of
}

// Huffman coding and decoding are half of libjpeg's time and give back exactly what went in. libjpeg calls them through two tables of
// functions, declared in jpegint.h ("most applications shouldn't need it"); others in their place hand the quantised coefficients over.
#if JPEG_HAS_ENTROPY_MODULES
void Codec::hold_coefficients() {
  kept_ = given_ = 0;
  const size_t blocks = size_t{compress_.MCUs_per_row} * compress_.MCU_rows_in_scan * static_cast<size_t>(compress_.blocks_in_MCU);
  if (route_ == Route::kStream || blocks > kMostBlocks) {
    return;
  }
  if (blocks > block_capacity_) {
    blocks_.reset(static_cast<JBLOCK*>(std::malloc(blocks * sizeof(JBLOCK))));
    block_capacity_ = blocks_ ? blocks : 0;
    if (!blocks_) {
      errors_.msg_code = JERR_OUT_OF_MEMORY;
      leave(reinterpret_cast<j_common_ptr>(&compress_));
    }
  }
  compress_.entropy->encode_mcu = &keep_blocks;
  compress_.entropy->finish_pass = [](j_compress_ptr) {};  // no bits wait to be written
}

void Codec::supply_coefficients() {
  if (kept_ > 0) {
    decompress_.entropy->decode_mcu = &give_blocks;
  }
}
#else
void Codec::hold_coefficients() {}
void Codec::supply_coefficients() {}
#endif

/// For one MCU: the blocks of all components that belong together.
boolean Codec::keep_blocks(j_compress_ptr info, JBLOCKROW* blocks) {
  Codec& codec = *static_cast<Codec*>(info->client_data);
  for (int i = 0; i < info->blocks_in_MCU; ++i) {
    std::memcpy(codec.blocks_[codec.kept_++], *blocks[i], sizeof(JBLOCK));
  }
  return TRUE;
}

boolean Codec::give_blocks(j_decompress_ptr info, JBLOCKROW* blocks) {
  Codec& codec = *static_cast<Codec*>(info->client_data);
  if (codec.given_ + static_cast<size_t>(info->blocks_in_MCU) > codec.kept_) {
    leave(reinterpret_cast<j_common_ptr>(info));  // another image than the one that was compressed
  }
  for (int i = 0; i < info->blocks_in_MCU; ++i) {
    std::memcpy(*blocks[i], codec.blocks_[codec.given_++], sizeof(JBLOCK));
  }
  return TRUE;
}

bool Codec::pack(const float* planes, int row, int rows) {
  const int64_t first = int64_t{row} * format_.width, count = int64_t{rows} * format_.width;
  const int64_t stride = int64_t{format_.height} * format_.width;
  return format_.colour ? pixel_loops().pack_colour(planes + first, stride, count, scaling_, strip_.data())
                        : pixel_loops().pack_grey(planes + first, count, scaling_, strip_.data());
}

void Codec::unpack(int row, int rows, float* planes) {
  const int64_t first = int64_t{row} * format_.width, count = int64_t{rows} * format_.width;
  const int64_t stride = int64_t{format_.height} * format_.width;
  if (format_.colour) {
    pixel_loops().unpack_colour(strip_.data(), stride, count, scaling_, planes + first);
  } else {
    pixel_loops().unpack_grey(rows_out_[0], count, scaling_, planes + first);
  }
}

void Codec::restart_output(j_compress_ptr info) {
  Codec& codec = *static_cast<Destination*>(info->dest)->codec;
  info->dest->next_output_byte = codec.stream_.get();
  info->dest->free_in_buffer = codec.stream_capacity_;
}

/// libjpeg calls it when the whole buffer is full, whatever free_in_buffer says.
boolean Codec::grow_output(j_compress_ptr info) {
  Codec& codec = *static_cast<Destination*>(info->dest)->codec;
  const size_t used = codec.stream_capacity_;
  auto* larger = static_cast<uint8_t*>(std::realloc(codec.stream_.get(), 2 * used + kFiller));
  if (larger == nullptr) {
    info->err->msg_code = JERR_OUT_OF_MEMORY;
    leave(reinterpret_cast<j_common_ptr>(info));
  }
  static_cast<void>(codec.stream_.release());  // realloc has freed it
  codec.stream_.reset(larger);
  codec.stream_capacity_ = 2 * used;
  info->dest->next_output_byte = larger + used;
  info->dest->free_in_buffer = used;
  return TRUE;
}

void Codec::end_output(j_compress_ptr info) {
  Codec& codec = *static_cast<Destination*>(info->dest)->codec;
  codec.stream_bytes_ = codec.stream_capacity_ - info->dest->free_in_buffer;
  std::memset(codec.stream_.get() + codec.stream_bytes_, 0, kFiller);
}

}  // namespace jpeg
