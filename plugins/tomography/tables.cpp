#include "tables.hpp"

#include <cstddef>

namespace tomography {

SpreadOrder spread_order(const SliceTables& tables) {
  SpreadOrder sorted;
  sorted.first_at.assign(static_cast<std::size_t>(tables.image.lines * tables.image.pitch + 1), 0);
  const int64_t count = tables.views * tables.frequencies;
  const auto counts = [&](int64_t p) { return tables.weights[p].re != 0 || tables.weights[p].im != 0; };
  int32_t used = 0;
  for (int64_t p = 0; p < count; ++p) {
    if (counts(p)) {
      ++sorted.first_at[tables.points[p].start + 1];
      ++used;
    }
  }
  for (std::size_t s = 1; s < sorted.first_at.size(); ++s) {
    sorted.first_at[s] += sorted.first_at[s - 1];
  }
  sorted.order.resize(static_cast<std::size_t>(used));
  std::vector<int32_t> next = sorted.first_at;
  for (int64_t p = 0; p < count; ++p) {
    if (counts(p)) {
      sorted.order[next[tables.points[p].start]++] = static_cast<int32_t>(p);
    }
  }
  return sorted;
}

}  // namespace tomography
