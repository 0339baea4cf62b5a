#include "image_layout.hpp"

#include <fmt/format.h>

#include <unchannel/base/error.hpp>

namespace unchannel {

ImageLayout ImageLayout::of(const std::vector<std::int64_t>& shape, const std::string& channel, bool needs_image) {
  if (shape.empty() || shape.size() > 3 || (needs_image && shape.size() == 1)) {
    throw ConfigError(fmt::format("channel {}: takes signals of shape {}[H, W] or [planes, H, W]; these have shape [{}].", channel,
                                  needs_image ? "" : "[L], ", fmt::join(shape, ", ")));
  }
  ImageLayout layout;
  layout.columns = shape.back();
  layout.is_image = shape.size() > 1;
  if (layout.is_image) layout.rows = shape[shape.size() - 2];
  if (shape.size() == 3) layout.planes = shape[0];
  return layout;
}

at::Tensor ImageLayout::view(const at::Tensor& rows_BD) const { return rows_BD.view({rows_BD.size(0), planes, rows, columns}); }

std::vector<std::int64_t> ImageLayout::plane_shape() const {
  return is_image ? std::vector<std::int64_t>{1, rows, columns} : std::vector<std::int64_t>{columns};
}

}  // namespace unchannel
