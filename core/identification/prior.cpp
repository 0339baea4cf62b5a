#include "prior.hpp"

#include <algorithm>
#include <cmath>

namespace unchannel::identification {

Prior::Prior(const UnknownSettings& settings)
    : low_(settings.low),
      high_(settings.high),
      mean_(settings.mean),
      deviation_(settings.deviation),
      logarithmic_(settings.prior == "log_uniform"),
      normal_(settings.prior == "normal") {}

double Prior::coordinate(double value) const { return logarithmic_ ? std::log(value) : value; }

double Prior::value(double coordinate) const { return std::clamp(logarithmic_ ? std::exp(coordinate) : coordinate, low_, high_); }

double Prior::density(double value) const { return normal_ ? std::exp(-0.5 * std::pow((value - mean_) / deviation_, 2)) : 1.0; }

std::vector<double> Prior::spaced(std::size_t count) const {
  const double begin = coordinate(low_), step = (coordinate(high_) - begin) / static_cast<double>(count - 1);
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(value(begin + step * static_cast<double>(i)));
  values.front() = low_;
  values.back() = high_;
  return values;
}

}  // namespace unchannel::identification
