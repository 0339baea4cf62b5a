#include "declared_noise.hpp"

#include <nlohmann/json.hpp>

namespace unchannel {

double declared_noise(const nlohmann::json& configuration) {
  if (const auto stages = configuration.find("stages"); stages != configuration.end()) return declared_noise(stages->back());
  const nlohmann::json parameters = configuration.value("parameters", nlohmann::json::object());
  if (parameters.value("noise", nlohmann::json("gaussian")) != "gaussian") return 0.0;
  for (const char* name : {"noise_sigma", "sigma"}) {
    if (const auto found = parameters.find(name); found != parameters.end() && found->is_number()) return found->get<double>();
  }
  return 0.0;
}

}  // namespace unchannel
