#include "search.hpp"

#include <cmath>

namespace unchannel::identification {
namespace {

/// The nearest point below `value`, or the nearest at all.
std::optional<double> neighbour_of(const Profile& profile, double value) {
  std::optional<double> nearest;
  for (const ProfilePoint& point : profile.points) {
    if (!nearest || point.value < value) nearest = point.value;
  }
  return nearest;
}

}  // namespace

Profile search(const UnknownSettings& unknown, std::vector<Statistic> statistics, const Measure& measure) {
  const Prior prior(unknown);
  Profile profile{std::move(statistics), {}};
  const auto add = [&](double value) { profile.add({value, measure(value, neighbour_of(profile, value))}); };
  for (const double value : prior.spaced(static_cast<std::size_t>(unknown.points))) add(value);
  for (std::int64_t round = 0; round < unknown.refinements; ++round) {
    for (const double value : next_values(profile, prior)) add(value);
  }
  return profile;
}

}  // namespace unchannel::identification
