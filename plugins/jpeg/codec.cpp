#include "codec.hpp"

#include <cstdlib>

#include <jerror.h>

namespace jpeg {

// longjmp leaves libjpeg's C frames only: the functions that call setjmp hold no object with a destructor, and the callbacks below throw
// nothing. A complete jpeg_error_mgr of our own instead of jpeg_std_error: nothing is ever printed, and libjpeg's message texts with their
// reference to stderr, which a shared library cannot take from Debian's libjpeg.a, stay out of the plugin.

void Codec::leave(j_common_ptr info) { std::longjmp(static_cast<ErrorManager*>(info->err)->escape, 1); }

Codec::Codec(const ImageFormat& format)
    : format_(format),
      pixels_(static_cast<size_t>(format.width) * static_cast<size_t>(format.height) * (format.colour ? 4 : 1)),
      rows_(static_cast<size_t>(format.height)),
      stream_capacity_(4096 + pixels_.size() / 2) {
  const size_t stride = pixels_.size() / rows_.size();
  for (size_t row = 0; row < rows_.size(); ++row) {
    rows_[row] = pixels_.data() + row * stride;
  }
  stream_.reset(static_cast<uint8_t*>(std::malloc(stream_capacity_)));
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
  compress_.input_components = format_.colour ? 4 : 1;
  compress_.in_color_space = format_.colour ? JCS_EXT_RGBX : JCS_GRAYSCALE;
  jpeg_set_defaults(&compress_);
  compress_.dct_method = format_.dct;
  compress_.write_JFIF_header = FALSE;  // nobody reads it
  compress_.comp_info[0].h_samp_factor = format_.colour ? format_.chroma_step_x : 1;
  compress_.comp_info[0].v_samp_factor = format_.colour ? format_.chroma_step_y : 1;
  jpeg_create_decompress(&decompress_);
  quality_ = 0;
  created_ = true;
}

/// Both structs start anew: after an error they may disagree about the tables.
Outcome Codec::fail() noexcept {
  const Outcome outcome = errors_.msg_code == JERR_OUT_OF_MEMORY ? Outcome::kOutOfMemory : Outcome::kFailed;
  jpeg_destroy_compress(&compress_);
  jpeg_destroy_decompress(&decompress_);
  created_ = false;
  stream_bytes_ = 0;
  return outcome;
}

Outcome Codec::compress(int quality) noexcept {
  if (setjmp(errors_.escape) != 0) {
    return fail();
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
  while (compress_.next_scanline < compress_.image_height) {
    jpeg_write_scanlines(&compress_, rows_.data() + compress_.next_scanline, compress_.image_height - compress_.next_scanline);
  }
  jpeg_finish_compress(&compress_);
  return Outcome::kOk;
}

Outcome Codec::decompress() noexcept {
  if (setjmp(errors_.escape) != 0) {
    return fail();
  }
  if (!created_) {
    return Outcome::kFailed;
  }
  jpeg_mem_src(&decompress_, stream_.get(), stream_bytes_);
  jpeg_read_header(&decompress_, TRUE);
  decompress_.out_color_space = compress_.in_color_space;
  decompress_.dct_method = format_.dct;
  jpeg_start_decompress(&decompress_);
  if (decompress_.output_width != compress_.image_width || decompress_.output_height != compress_.image_height) {
    return fail();
  }
  while (decompress_.output_scanline < decompress_.output_height) {
    jpeg_read_scanlines(&decompress_, rows_.data() + decompress_.output_scanline, decompress_.output_height - decompress_.output_scanline);
  }
  jpeg_finish_decompress(&decompress_);
  return errors_.num_warnings == 0 ? Outcome::kOk : fail();  // a stream of our own has nothing to warn of
}

Outcome Codec::round_trip(int quality) noexcept {
  const Outcome compressed = compress(quality);
  return compressed == Outcome::kOk ? decompress() : compressed;
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
  auto* larger = static_cast<uint8_t*>(std::realloc(codec.stream_.get(), 2 * used));
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
}

}  // namespace jpeg
