#include "least_squares_lift.hpp"

#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/measurement/least_squares.hpp>

namespace unchannel {

LeastSquaresLift::LeastSquaresLift(std::unique_ptr<Channel> inner, std::int64_t iterations) : inner_(std::move(inner)), iterations_(iterations) {
  check<ConfigError>(inner_->has_mean() && inner_->has_vjp(),
                     "channel.lift = \"least_squares\" needs the channel's mean and vjp, which channel {} does not have. Set channel.lift = \"own\".",
                     inner_->id());
  for (const LatentSpec& latent : inner_->latents()) {
    check<ConfigError>(latent.visible,
                       "channel.lift = \"least_squares\" inverts the channel for each observation, but latent '{}' of channel {} is hidden. Set "
                       "channel.latents.{}.visible = true, or channel.lift = \"own\".",
                       latent.name, inner_->id(), latent.name);
  }
}

nlohmann::json LeastSquaresLift::configuration() const {
  nlohmann::json result = inner_->configuration();
  result["lift"] = "least_squares";
  result["lift_iterations"] = iterations_;
  return result;
}

at::Tensor LeastSquaresLift::lift(const at::Tensor& y_BM, const Latents& latents) const {
  const at::NoGradGuard no_grad;
  return least_squares(*inner_, latents, y_BM, iterations_);
}

}  // namespace unchannel
