#include "fault.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include <unchannel/base/error.hpp>

namespace unchannel::verification {
namespace {

class FaultyNetwork final : public Network {
 public:
  FaultyNetwork(std::string fault, std::unique_ptr<Network> network, std::int64_t time_levels)
      : fault_(std::move(fault)), network_(std::move(network)), level_width_(1.0 / static_cast<double>(time_levels)) {}

  at::Tensor forward(const NetworkInput& input) override {
    NetworkInput asked = input;
    if (fault_ == "time_grid") asked.t_B = input.t_B - level_width_;
    if (fault_ == "swapped_schedule") asked.t_B = 1.0 - input.t_B;
    const at::Tensor answer_BKD = network_->forward(asked);
    return fault_ == "drift_sign" ? -answer_BKD : answer_BKD;
  }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return network_->parameters(); }

 private:
  std::string fault_;
  std::unique_ptr<Network> network_;
  double level_width_;
};

}  // namespace

void check_fault_acts(const std::string& fault, const std::vector<Scheme>& schemes) {
  const auto is_sde = [](const Scheme& scheme) { return Interpolant(scheme.interpolant).stochastic(); };
  check<ConfigError>(fault != "epsilon_factor" || std::any_of(schemes.begin(), schemes.end(), is_sde),
                     "verify.fault = \"epsilon_factor\" doubles the noise of an SDE, and this case has ODEs only. Set theory.epsilon > 0 or choose another fault.");
}

InterpolantSettings with_fault(const std::string& fault, InterpolantSettings interpolant) {
  if (fault != "epsilon_factor") return interpolant;
  if (interpolant.epsilon_schedule == "posterior") {
    interpolant.epsilon_schedule = "linear";
    interpolant.epsilon = interpolant.noise_sigma * interpolant.noise_sigma;
  }
  interpolant.epsilon *= 2.0;
  return interpolant;
}

std::unique_ptr<Network> with_fault(const std::string& fault, std::unique_ptr<Network> network, std::int64_t time_levels) {
  return fault == "none" || fault == "epsilon_factor" ? std::move(network)
                                                      : std::make_unique<FaultyNetwork>(fault, std::move(network), time_levels);
}

}  // namespace unchannel::verification
