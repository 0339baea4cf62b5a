#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unchannel {

/// A decoded picture: stored levels without any colour management, row by row, the planes of a pixel beside each other.
struct Image {
  std::uint32_t height = 0, width = 0;
  std::uint32_t planes = 0;           ///< 1 grey, 3 red, green, blue
  std::uint32_t max_level = 255;      ///< 255, or 65535 for PNG files of 16 bits
  std::vector<std::uint16_t> levels;  ///< [height, width, planes]
};

/// More pixels than this in one picture are refused before memory is taken for them (400 MB with three planes while it is decoded).
inline constexpr std::uint64_t kMaxImagePixels = std::uint64_t{1} << 26;
/// A larger file is not read.
inline constexpr std::uint64_t kMaxImageFileBytes = std::uint64_t{256} << 20;

/// Decodes a PNG or JPEG file in memory; its first bytes tell which, not its name. Exact levels: JPEG through libjpeg-turbo's accurate
/// integer transform and triangle chroma upsampling (the defaults of Pillow). Palettes and fewer than 8 bits are expanded; an alpha
/// plane is dropped where it is opaque everywhere. Orientation tags, gamma and colour profiles are not applied.
/// Throws DataError with the reason alone: neither of the formats, damaged or cut off in any way that a decoder notices, more than
/// kMaxImagePixels, transparent, CMYK.
Image decode_image(std::string_view bytes);

/// The two decoders behind it.
Image decode_png(std::string_view bytes);
Image decode_jpeg(std::string_view bytes);

/// The picture as a PNG file of 8 bits, grey or RGB, as sRGB: `decode_png` gives the same levels back. Throws DataError: another number of
/// planes, levels above 255 allowed, fewer levels than pixels, no pixel or more than kMaxImagePixels.
std::string encode_png(const Image& image);

}  // namespace unchannel
