#include "verification.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unchannel/theory/analysis.hpp>

namespace unchannel::verification {
namespace {

nlohmann::json to_json(const SchemeResult& result) {
  nlohmann::json iterates = nlohmann::json::array();
  for (std::size_t k = 0; k < result.measured.size(); ++k) {
    const MeasuredIterate& m = result.measured[k];
    nlohmann::json measured = theory::to_json(m.law), predicted = theory::to_json(result.predicted[k].law);
    measured["w2"] = m.w2;
    predicted["w2"] = result.predicted[k].w2;
    predicted["kl_nats"] = result.predicted[k].kl_nats;
    iterates.push_back({{"k", k},
                        {"measured", measured},
                        {"predicted", predicted},
                        {"mean_error", m.mean_error},
                        {"mean_standard_error", m.mean_scatter},
                        {"mean_tolerance", m.mean_tolerance},
                        {"covariance_error", m.covariance_error},
                        {"covariance_standard_error", m.covariance_scatter},
                        {"covariance_tolerance", m.covariance_tolerance},
                        {"w2_tolerance", m.w2_error}});
  }
  return {{"name", result.scheme.name}, {"transport", result.scheme.text}, {"usable_iterates", result.usable}, {"iterates", iterates}};
}

nlohmann::json to_json(const Claim& claim) {
  nlohmann::json json = {{"name", claim.name}, {"text", claim.text}, {"tested", claim.tested}};
  if (claim.tested) json.update({{"predicted", claim.predicted}, {"measured", claim.measured}, {"tolerance", claim.tolerance}, {"holds", claim.holds}});
  return json;
}

}  // namespace

bool Verification::holds() const {
  return !claims.empty() && std::all_of(claims.begin(), claims.end(), [](const Claim& claim) { return claim.holds || !claim.tested; });
}

std::int64_t steps_of(const std::vector<Scheme>& schemes, const VerifySettings& settings) {
  return static_cast<std::int64_t>(schemes.size()) * settings.repeats * settings.iterations * settings.steps;
}

Verification verify(const std::vector<Scheme>& schemes, const VerifySettings& settings, const StepWatcher& watcher) {
  Verification verification;
  for (const Scheme& scheme : schemes) {
    std::vector<std::vector<theory::Gaussian>> repeats_RK;
    for (std::int64_t repeat = 0; repeat < settings.repeats; ++repeat) repeats_RK.push_back(learned_iterates(scheme, settings, repeat, watcher));
    verification.schemes.push_back(compare(scheme, repeats_RK, settings.fit_tolerance));
  }
  verification.claims = claims_of(verification.schemes);
  return verification;
}

nlohmann::json to_json(const Verification& verification) {
  nlohmann::json schemes = nlohmann::json::array(), claims = nlohmann::json::array();
  for (const SchemeResult& result : verification.schemes) schemes.push_back(to_json(result));
  for (const Claim& claim : verification.claims) claims.push_back(to_json(claim));
  return {{"verdict", verification.holds() ? "holds" : "fails"}, {"claims", claims}, {"schemes", schemes}};
}

}  // namespace unchannel::verification
