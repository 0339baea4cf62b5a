#pragma once

#include <string>
#include <vector>

#include "prior.hpp"

// Shape legend: S statistics · M members · P points · C values of a fine grid
namespace unchannel::identification {

/// A statistic of the observations at one value of the parameter, less its mean in worlds simulated with this value, and its standard
/// deviation between such worlds. In the statistic's own unit.
struct Discrepancy {
  double excess = 0;
  double error = 1;
};

/// What a profile is made of. A value is rejected where a statistic is.
struct Statistic {
  std::string name;
  bool two_sided = false;  ///< false: only a positive excess counts against the value
  double tolerance = 0;    ///< excess that a fit may have; one-sided statistics only
  double rejection = 0.1;  ///< probability with which a right value is rejected

  /// Standardised excess beyond which a value is rejected.
  double limit() const;
};

/// The trainings at one value of the parameter.
struct ProfilePoint {
  double value = 0;
  std::vector<std::vector<Discrepancy>> member_MS;
};

/// The members together: mean excess, and error² = mean error² + variance between the members, since the same observations stand behind all
/// of them and one training is no better than another.
Discrepancy combined(const ProfilePoint& point, std::size_t statistic);

/// (excess − tolerance)/error of the members together, in units of the statistic's limit: rejected above 1, or below −1 if two-sided.
double severity(const Statistic& statistic, const ProfilePoint& point, std::size_t index);

struct Profile {
  std::vector<Statistic> statistics;
  std::vector<ProfilePoint> points;  ///< in rising order of the value

  void add(ProfilePoint point);
};

/// Between two points every statistic's standardised excess is interpolated linearly in the prior's coordinate.
struct FineProfile {
  std::vector<double> value_C;
  std::vector<double> severity_C;  ///< largest of the statistics; accepted up to 1
  std::vector<double>
      weight_C;  ///< prior density times exp(−χ²/2), sums to 1; χ² from the standardised excesses that count against a value

  /// The value below which `share` of the weight lies.
  double quantile(double share) const;
};

/// Needs at least two points, the first at prior.low(), the last at prior.high().
FineProfile read_finely(const Profile& profile, const Prior& prior);

/// The values that are not rejected.
struct Accepted {
  bool any = false;
  double low = 0, high = 0;                      ///< of all of them
  bool to_the_low = false, to_the_high = false;  ///< they reach the end of what was tried
  std::size_t ranges = 0;                        ///< pieces that are separated by rejected values
};
Accepted accepted_values(const FineProfile& fine);

/// Where to train next: the ends of the accepted values where the neighbouring points are far apart, or, where no value is accepted, the
/// middles beside the least rejected one. Empty when nothing is to be gained.
std::vector<double> next_values(const Profile& profile, const Prior& prior);

}  // namespace unchannel::identification
