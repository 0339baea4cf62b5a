#include <unchannel/base/error.hpp>

#include "image.hpp"

namespace unchannel {

Image decode_image(std::string_view bytes) {
  check<DataError>(!bytes.empty(), "the file is empty");
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) return decode_png(bytes);
  if (bytes.starts_with("\xFF\xD8\xFF")) return decode_jpeg(bytes);
  throw DataError("neither a PNG nor a JPEG file, whatever its name says");
}

}  // namespace unchannel
