#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis.hpp"

namespace unchannel::theory {
namespace {

using Json = nlohmann::json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const Vector& values_D) { return std::vector<double>(values_D.begin(), values_D.end()); }

Json to_json(const Matrix& values_DD) {
  Json rows = Json::array();
  for (Eigen::Index i = 0; i < values_DD.rows(); ++i) rows.push_back(to_json(Vector(values_DD.row(i))));
  return rows;
}

Json to_json(const std::vector<Iterate>& iterates) {
  Json list = Json::array();
  for (std::size_t k = 0; k < iterates.size(); ++k) {
    Json iterate = theory::to_json(iterates[k].law);
    iterate.update({{"k", k}, {"kl_nats", number(iterates[k].kl_nats)}, {"w2", number(iterates[k].w2)}});
    list.push_back(std::move(iterate));
  }
  return list;
}

Json rates(const Contraction& contraction) {
  return {{"mean_rate", contraction.mean_rate}, {"covariance_rate", contraction.covariance_rate}, {"kl_rate", contraction.kl_rate}};
}

Json to_json(const TheoremBound& bound) {
  return {
      {"applies", bound.applies},
      {"reason", bound.reason},
      {"chi",
       {{"local", number(bound.chi.local)},
        {"iterates", number(bound.chi.iterates)},
        {"set", {{"least_share", bound.chi.least_share}, {"lower", number(bound.chi.set_lower)}, {"upper", number(bound.chi.set_upper)}}}}},
      {"lipschitz", {{"local", number(bound.local.lipschitz)}, {"iterates", number(bound.iterates.lipschitz)}}},
      {"lipschitz_over_4_epsilon", {{"local", number(bound.local.drift_term)}, {"iterates", number(bound.iterates.drift_term)}}},
      {"rate", {{"local", number(bound.local_rate)}, {"iterates", number(bound.rate)}}},
      {"kl_nats", bound.kl_nats.empty() ? Json(nullptr) : Json(bound.kl_nats)}};
}

Json to_json(const std::optional<std::int64_t>& count) { return count ? Json(*count) : Json(nullptr); }

}  // namespace

nlohmann::json to_json(const Gaussian& law) { return {{"mean", to_json(law.mean_D)}, {"covariance", to_json(law.covariance_DD)}}; }

nlohmann::json to_json(const Analysis& analysis) {
  Json contraction = rates(analysis.contraction);
  contraction["mean"] = to_json(analysis.contraction.mean_D);
  contraction["covariance"] = to_json(analysis.contraction.covariance_D);
  contraction["uniform"] = nullptr;
  if (analysis.uniform) contraction["uniform"] = {{"mean", analysis.uniform->mean}, {"covariance", analysis.uniform->covariance}};
  const Relaxation& relaxation = analysis.relaxation;
  const bool relaxes = relaxation.largest_stable > 0.0;
  const ErrorLimits& limits = analysis.limits;
  return {{"iterates", to_json(analysis.iterates)},
          {"em", to_json(analysis.em)},
          {"contraction", contraction},
          {"comparison",
           {{"ode", rates(analysis.ode_contraction)},
            {"em", rates(analysis.em_contraction)},
            {"em_iterations_per_ode_iteration", number(analysis.em_iterations_per_ode())}}},
          {"over_relaxation",
           {{"best", relaxes ? Json(relaxation.best) : Json(nullptr)},
            {"best_rate", relaxes ? Json(relaxation.best_rate) : Json(nullptr)},
            {"largest_stable", relaxation.largest_stable}}},
          {"bound", to_json(analysis.bound)},
          {"limits",
           {{"posterior_mean_mse", limits.posterior_mean},
            {"distribution_preserving_mse", limits.distribution_preserving},
            {"ode_map_mse", limits.ode_map},
            {"transport_mse", limits.transport},
            {"posterior_draw_mse", limits.posterior_draw},
            {"transport_spread_over_posterior", limits.transport_spread}}},
          {"iterations_to_1e-3_nats",
           {{"from_initial", to_json(analysis.to_signal.from_initial)},
            {"from_observations", to_json(analysis.to_signal.from_observations)},
            {"em_from_initial", to_json(analysis.to_signal.by_em)}}}};
}

}  // namespace unchannel::theory
