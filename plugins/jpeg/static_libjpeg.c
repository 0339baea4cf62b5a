/* Not part of the plugin: CMake links it as a shared library to find out whether the static libjpeg can go into one. */
#include <stdio.h>

#include <jpeglib.h>

int unchannel_entry(struct jpeg_error_mgr* errors, JSAMPARRAY rows) {
  struct jpeg_compress_struct compress;
  struct jpeg_decompress_struct decompress;
  compress.err = decompress.err = errors;
  jpeg_create_compress(&compress);
  jpeg_set_defaults(&compress);
  jpeg_set_quality(&compress, 75, TRUE);
  jpeg_start_compress(&compress, FALSE);
  jpeg_write_scanlines(&compress, rows, 1);
  jpeg_finish_compress(&compress);
  jpeg_create_decompress(&decompress);
  jpeg_mem_src(&decompress, rows[0], 1);
  jpeg_read_header(&decompress, TRUE);
  jpeg_start_decompress(&decompress);
  jpeg_read_scanlines(&decompress, rows, 1);
  jpeg_finish_decompress(&decompress);
  jpeg_destroy_compress(&compress);
  jpeg_destroy_decompress(&decompress);
  return 0;
}
