#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

// Shape legend: B points
namespace unchannel {

/// Two interleaved half circles in the plane, the synthetic set of [SCSI, two-moons experiment]: p on an arm plus Gaussian noise, x = 4 (p − 1/2).
///   even index: p = (cos θ, sin θ)        odd index: p = (1 − cos θ, 1/2 − sin θ)        θ ~ U(0, π) drawn independently
struct TwoMoonsOptions {
  std::uint64_t count = 0;
  std::uint64_t first_index = 0;  ///< global index of the first point: disjoint ranges give independent sets
  std::uint64_t key = 1;
  double noise = 0.1;             ///< standard deviation around an arm, in units of its radius, before the scaling by 4
};

/// Points [B, 2] of indices first_index + offset … + count. Point i is a pure function of (key, i), so arms are balanced exactly.
std::vector<float> draw_two_moons(const TwoMoonsOptions& options, std::uint64_t offset, std::uint64_t count);

/// Writes `signals` [count, 2] with origin and provenance. `progress` (may be empty) is told the points done. Throws ConfigError
/// (count, noise), DataError (disk).
void write_two_moons(const TwoMoonsOptions& options, const std::filesystem::path& output, const std::function<void(std::uint64_t)>& progress);

}  // namespace unchannel
