#include "profile.hpp"

#include <algorithm>
#include <cmath>

#include <unchannel/metrics/normal_quantile.hpp>

namespace unchannel::identification {
namespace {

constexpr std::size_t kFineValues = 4001;
constexpr double kSmallestStep = 1e-3;      // of the whole range: closer points show nothing more
constexpr double kEnoughOfTheHull = 0.25;   // a bracket this small against an interval bends no straight line
constexpr double kEnoughOfTheRange = 0.02;  // the same for a limit, whose other side is open

double standardised(const Statistic& statistic, const Discrepancy& d) {
  return (d.excess - statistic.tolerance) / std::max(d.error, 1e-300);
}

/// The point after `value` and its share in the interpolation.
struct Place {
  std::size_t after;
  double share;
};
Place place_of(const Profile& profile, const Prior& prior, double value) {
  std::size_t after = 1;
  while (after + 1 < profile.points.size() && profile.points[after].value < value) ++after;
  const double begin = prior.coordinate(profile.points[after - 1].value), end = prior.coordinate(profile.points[after].value);
  return {after, std::clamp((prior.coordinate(value) - begin) / (end - begin), 0.0, 1.0)};
}

double counted(const Statistic& statistic, double severity) { return statistic.two_sided ? std::abs(severity) : severity; }

/// Of every statistic at every point.
std::vector<std::vector<double>> severities(const Profile& profile) {
  std::vector<std::vector<double>> severity_SP;
  for (std::size_t s = 0; s < profile.statistics.size(); ++s) {
    std::vector<double>& severity_P = severity_SP.emplace_back();
    for (const ProfilePoint& point : profile.points) severity_P.push_back(severity(profile.statistics[s], point, s));
  }
  return severity_SP;
}

/// The middles of the gaps beside the least rejected point.
std::vector<double> beside_the_least(const Profile& profile, const Prior& prior) {
  std::size_t best = 0;
  double least = 1e300;
  for (std::size_t i = 0; i < profile.points.size(); ++i) {
    double worst = -1e300;
    for (std::size_t s = 0; s < profile.statistics.size(); ++s) {
      worst = std::max(worst, counted(profile.statistics[s], severity(profile.statistics[s], profile.points[i], s)));
    }
    if (worst < least) least = worst, best = i;
  }
  std::vector<double> values;
  const auto middle = [&](std::size_t i) {
    values.push_back(prior.value(0.5 * (prior.coordinate(profile.points[i].value) + prior.coordinate(profile.points[i + 1].value))));
  };
  if (best > 0) middle(best - 1);
  if (best + 1 < profile.points.size()) middle(best);
  return values;
}

}  // namespace

double Statistic::limit() const { return metrics::normal_quantile(1.0 - (two_sided ? rejection / 2 : rejection)); }

Discrepancy combined(const ProfilePoint& point, std::size_t statistic) {
  const auto members = static_cast<double>(point.member_MS.size());
  double mean = 0, variance = 0, scatter = 0;
  for (const auto& member_S : point.member_MS) {
    mean += member_S[statistic].excess / members;
    variance += member_S[statistic].error * member_S[statistic].error / members;
  }
  for (const auto& member_S : point.member_MS) {
    if (members > 1) scatter += std::pow(member_S[statistic].excess - mean, 2) / (members - 1);
  }
  return {mean, std::sqrt(variance + scatter)};
}

double severity(const Statistic& statistic, const ProfilePoint& point, std::size_t index) {
  return standardised(statistic, combined(point, index)) / statistic.limit();
}

void Profile::add(ProfilePoint point) {
  const auto place = std::ranges::lower_bound(points, point.value, {}, [](const ProfilePoint& other) { return other.value; });
  points.insert(place, std::move(point));
}

FineProfile read_finely(const Profile& profile, const Prior& prior) {
  FineProfile fine;
  fine.value_C = prior.spaced(kFineValues);
  const std::vector<std::vector<double>> severity_SP = severities(profile);
  std::vector<double> log_weight_C, limit_S;
  for (const Statistic& statistic : profile.statistics) limit_S.push_back(statistic.limit());
  for (const double value : fine.value_C) {
    const Place place = place_of(profile, prior, value);
    double worst = -1e300, square = 0;
    for (std::size_t s = 0; s < profile.statistics.size(); ++s) {
      const double before = severity_SP[s][place.after - 1], after = severity_SP[s][place.after];
      const double here = counted(profile.statistics[s], before + (after - before) * place.share);
      worst = std::max(worst, here);
      square += std::pow(std::max(0.0, here) * limit_S[s], 2);
    }
    fine.severity_C.push_back(worst);
    log_weight_C.push_back(std::log(std::max(prior.density(value), 1e-300)) - 0.5 * square);
  }
  const double largest = *std::ranges::max_element(log_weight_C);
  double sum = 0;
  for (const double weight : log_weight_C) sum += std::exp(weight - largest);
  for (const double weight : log_weight_C) fine.weight_C.push_back(std::exp(weight - largest) / sum);
  return fine;
}

double FineProfile::quantile(double share) const {
  double below = 0;
  for (std::size_t c = 0; c < value_C.size(); ++c) {
    below += weight_C[c];
    if (below >= share) return value_C[c];
  }
  return value_C.back();
}

Accepted accepted_values(const FineProfile& fine) {
  Accepted accepted;
  for (std::size_t c = 0; c < fine.value_C.size(); ++c) {
    if (fine.severity_C[c] > 1) continue;
    if (!accepted.any) accepted.low = fine.value_C[c];
    if (c == 0 || fine.severity_C[c - 1] > 1) ++accepted.ranges;
    accepted.any = true;
    accepted.high = fine.value_C[c];
  }
  accepted.to_the_low = fine.severity_C.front() <= 1;
  accepted.to_the_high = fine.severity_C.back() <= 1;
  return accepted;
}

std::vector<double> next_values(const Profile& profile, const Prior& prior) {
  const double range = prior.coordinate(prior.high()) - prior.coordinate(prior.low());
  const Accepted accepted = accepted_values(read_finely(profile, prior));
  std::vector<double> wanted, values;
  double enough = kSmallestStep * range;
  if (accepted.any) {
    if (!accepted.to_the_low) wanted.push_back(accepted.low);
    if (!accepted.to_the_high) wanted.push_back(accepted.high);
    const bool closed = wanted.size() == 2;
    enough = std::max(
        enough, closed ? kEnoughOfTheHull * (prior.coordinate(accepted.high) - prior.coordinate(accepted.low)) : kEnoughOfTheRange * range);
  } else {
    wanted = beside_the_least(profile, prior);
  }
  for (const double value : wanted) {
    const Place place = place_of(profile, prior, value);
    const double before = prior.coordinate(profile.points[place.after - 1].value),
                 after = prior.coordinate(profile.points[place.after].value);
    const double here = prior.coordinate(value);
    if (after - before > enough && std::min(here - before, after - here) > kSmallestStep * range) values.push_back(value);
  }
  if (values.size() == 2 && std::abs(prior.coordinate(values[1]) - prior.coordinate(values[0])) <= kSmallestStep * range) values.pop_back();
  return values;
}

}  // namespace unchannel::identification
