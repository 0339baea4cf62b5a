#include "outer_iterations.hpp"

#include <algorithm>

namespace unchannel {

std::int64_t refreshes_between(const ScsiSettings& settings, std::int64_t begin, std::int64_t end) {
  if (settings.refresh_every <= 0) return 0;
  const auto below = [&](std::int64_t bound) { return bound <= 0 ? 0 : (bound - 1) / settings.refresh_every + 1; };
  return std::max<std::int64_t>(0, below(end) - below(std::max(begin, settings.first_refresh)));
}

double outer_iterations(const ScsiSettings& settings, std::int64_t pool, std::int64_t step) {
  const std::int64_t rows = std::min(settings.refresh_rows, pool);
  return static_cast<double>(refreshes_between(settings, 0, step) * rows) / static_cast<double>(pool);
}

}  // namespace unchannel
