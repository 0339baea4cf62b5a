#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

// Shape legend: B batch · D signal dimensions flattened · P planes · H rows · W columns
namespace unchannel {

constexpr std::int64_t kRowAxis = 2, kColumnAxis = 3;  ///< of [B, P, H, W]

/// A signal's shape as planes of rows and columns: [W] is 1 × 1 × W, [H, W] is 1 × H × W, [P, H, W] is itself.
struct ImageLayout {
  std::int64_t planes = 1, rows = 1, columns = 1;
  bool is_image = false;  ///< two axes in space: shapes of rank 2 and 3

  /// Throws ConfigError for another rank and, where `needs_image`, for rank 1.
  static ImageLayout of(const std::vector<std::int64_t>& shape, const std::string& channel, bool needs_image = false);

  /// [B, D] → [B, P, H, W], a view.
  at::Tensor view(const at::Tensor& rows_BD) const;
  /// The shape of what all planes share: [1, H, W], or [W] where the signal has one axis.
  std::vector<std::int64_t> plane_shape() const;
};

}  // namespace unchannel
