#include "channel.hpp"

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

[[noreturn]] void absent(const Channel& channel, const char* capability) {
  throw ConfigError(fmt::format("channel {} has no capability '{}'; choose a method that needs simulations only.", channel.id(), capability));
}

}  // namespace

at::Tensor Channel::mean(const at::Tensor&, const Latents&) const { absent(*this, "mean"); }
at::Tensor Channel::vjp(const at::Tensor&, const Latents&, const at::Tensor&) const { absent(*this, "vjp"); }
at::Tensor Channel::loglik(const at::Tensor&, const Latents&, const at::Tensor&, at::Tensor*) const { absent(*this, "loglik"); }

at::Tensor measure(const Channel& channel, const at::Tensor& x_BD, const Latents& given, RandomKey key, const at::Tensor& ids_B,
                   Latents* used) {
  Latents latents = channel.draw_latents(key, ids_B, x_BD);
  for (const auto& [name, values] : given) latents.insert_or_assign(name, values);
  at::Tensor y_BM = channel.simulate(x_BD, latents, key, ids_B);
  if (used) *used = std::move(latents);
  return y_BM;
}

}  // namespace unchannel
