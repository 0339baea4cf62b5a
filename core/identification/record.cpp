#include "record.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <fmt/core.h>

namespace unchannel::identification {

std::string table(const Profile& profile, const UnknownSettings& unknown) {
  std::string text = fmt::format("{:>12}", unknown.parameter);
  for (const Statistic& statistic : profile.statistics) text += fmt::format(" {:>12} {:>10} {:>8}", statistic.name, "error", "z");
  text += "\n";
  for (const ProfilePoint& point : profile.points) {
    text += fmt::format("{:>12.5g}", point.value);
    bool rejected = false;
    for (std::size_t s = 0; s < profile.statistics.size(); ++s) {
      const Statistic& statistic = profile.statistics[s];
      const Discrepancy d = combined(point, s);
      const double z = severity(statistic, point, s) * statistic.limit();
      rejected = rejected || (statistic.two_sided ? std::abs(z) : z) > statistic.limit();
      text += fmt::format(" {:>12.4g} {:>10.3g} {:>8.2f}", d.excess, d.error, z);
    }
    text += rejected ? "  rejected\n" : "\n";
  }
  return text;
}

nlohmann::json to_json(const Discrepancy& discrepancy) { return {{"excess", discrepancy.excess}, {"error", discrepancy.error}}; }

Discrepancy discrepancy_from_json(const nlohmann::json& json) { return {json.at("excess").get<double>(), json.at("error").get<double>()}; }

nlohmann::json to_json(const Profile& profile, const Finding& finding, const UnknownSettings& unknown) {
  nlohmann::json statistics = nlohmann::json::array(), points = nlohmann::json::array();
  for (const Statistic& s : profile.statistics) {
    statistics.push_back({{"name", s.name},
                          {"two_sided", s.two_sided},
                          {"tolerance", s.tolerance},
                          {"rejection_probability", s.rejection},
                          {"limit_z", s.limit()}});
  }
  for (const ProfilePoint& point : profile.points) {
    nlohmann::json entry = {{"value", point.value}, {"members", nlohmann::json::array()}, {"z", nlohmann::json::array()}};
    for (const auto& member_S : point.member_MS) {
      nlohmann::json member = nlohmann::json::array();
      for (const Discrepancy& d : member_S) member.push_back(to_json(d));
      entry["members"].push_back(member);
    }
    for (std::size_t s = 0; s < profile.statistics.size(); ++s) {
      entry["z"].push_back(severity(profile.statistics[s], point, s) * profile.statistics[s].limit());
    }
    points.push_back(entry);
  }
  return {{"parameter", unknown.parameter},
          {"prior", unknown.prior},
          {"range", {unknown.low, unknown.high}},
          {"constraint", unknown.constraint},
          {"level", unknown.level},
          {"statistics", statistics},
          {"points", points},
          {"verdict", to_string(finding.word)},
          {"low", finding.low},
          {"high", finding.high},
          {"estimate", finding.estimate},
          {"accepted_ranges", finding.ranges},
          {"reason", finding.reason},
          {"remedy", finding.remedy}};
}

}  // namespace unchannel::identification
