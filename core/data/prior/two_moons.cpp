#include "two_moons.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/random.hpp>

#include "../dataset.hpp"

namespace unchannel {
namespace {

// Tags below Purpose::kSignalPrior. They are part of the meaning of a key: never renumber.
constexpr std::uint64_t kAngle = 5, kNoise = 6;
constexpr std::uint64_t kBlockRows = 65536;
constexpr double kScale = 4.0, kCentre = 0.5;

}  // namespace

std::vector<float> draw_two_moons(const TwoMoonsOptions& options, std::uint64_t offset, std::uint64_t count) {
  const RandomKey key = RandomKey(options.key).derive(Purpose::kSignalPrior);
  const RandomKey angle_key = key.derive(kAngle), noise_key = key.derive(kNoise);
  std::vector<float> points_B2;
  points_B2.reserve(2 * count);
  for (std::uint64_t id = options.first_index + offset; id < options.first_index + offset + count; ++id) {
    float uniform = 0, noise[2] = {};
    angle_key.uniform(id, 0, 1, &uniform);
    noise_key.normal(id, 0, 2, noise);
    const double theta = M_PI * static_cast<double>(uniform);
    const bool upper = id % 2 == 0;
    const double p[2] = {upper ? std::cos(theta) : 1.0 - std::cos(theta), upper ? std::sin(theta) : 0.5 - std::sin(theta)};
    for (int axis = 0; axis < 2; ++axis) {
      points_B2.push_back(static_cast<float>(kScale * (p[axis] + options.noise * static_cast<double>(noise[axis]) - kCentre)));
    }
  }
  return points_B2;
}

void write_two_moons(const TwoMoonsOptions& options, const std::filesystem::path& output, const std::function<void(std::uint64_t)>& progress) {
  check<ConfigError>(options.count > 0 && options.count < (std::uint64_t{1} << 40) && options.first_index < (std::uint64_t{1} << 62),
                     "{} points from index {}: at least one, at most 2^40 from below 2^62.", options.count, options.first_index);
  check<ConfigError>(std::isfinite(options.noise) && options.noise >= 0, "noise {}: it must be at least 0.", options.noise);
  DatasetWriter writer(output, DatasetKind::signals, {2});
  for (std::uint64_t done = 0; done < options.count;) {
    const std::uint64_t rows = std::min(kBlockRows, options.count - done);
    writer.append(draw_two_moons(options, done, rows));
    std::vector<std::int64_t> ids(rows);
    for (std::uint64_t i = 0; i < rows; ++i) ids[i] = static_cast<std::int64_t>(options.first_index + done + i);
    writer.append_object_ids(ids);
    done += rows;
    if (progress) progress(done);
  }
  writer.set_attribute("origin", "synthetic: two moons");
  const nlohmann::json provenance = {{"made_by", "unchannel import two-moons"},
                                     {"key", options.key},
                                     {"first_index", options.first_index},
                                     {"count", options.count},
                                     {"noise", options.noise}};
  writer.set_attribute("provenance", json_text(provenance));
  writer.close();
}

}  // namespace unchannel
