#include "ambient_diffusion.hpp"

#include <ATen/core/grad_mode.h>

#include <cmath>
#include <utility>

#include <unchannel/base/error.hpp>
#include <unchannel/nn/autocast.hpp>
#include <unchannel/transport/solver.hpp>

#include "tensor_ops.hpp"

namespace unchannel::baselines {

PixelLaw pixel_law(const at::Tensor& y_BD, const at::Tensor& seen_BS) {
  const std::int64_t B = y_BD.size(0), S = seen_BS.size(1);
  const at::Tensor y_BPS = y_BD.to(at::kDouble).view({B, -1, S}), seen_B1S = seen_BS.to(at::kDouble).unsqueeze(1);
  const double count = seen_B1S.sum().item<double>() * static_cast<double>(y_BPS.size(1));
  check<DataError>(count >= 2, "baselines: the masks hide every pixel; ambient diffusion learns from pixels that are seen.");
  const double mean = (y_BPS * seen_B1S).sum().item<double>() / count;
  const double deviation = std::sqrt(((y_BPS - mean).square() * seen_B1S).sum().item<double>() / count);
  check<DataError>(deviation > 0, "baselines: all pixels that the masks show have the value {:g}; there is nothing to learn.", mean);
  return {mean, deviation};
}

at::Tensor thinned(const at::Tensor& seen_BS, double delta, RandomKey key, const at::Tensor& ids_B) {
  const std::int64_t S = seen_BS.size(1);
  at::Tensor u_BS = at::empty(seen_BS.sizes(), at::kFloat);
  for (std::int64_t b = 0; b < ids_B.size(0); ++b) {
    key.uniform(static_cast<std::uint64_t>(ids_B.const_data_ptr<std::int64_t>()[b]), 0, static_cast<std::uint32_t>(S),
                u_BS.mutable_data_ptr<float>() + b * S);
  }
  return seen_BS.to(at::kFloat) * u_BS.gt(delta).to(at::kFloat);
}

AmbientInput ambient_input(const at::Tensor& y_BD, const at::Tensor& shown_BS, const at::Tensor& t_B, RandomKey key, const at::Tensor& ids_B) {
  const at::Tensor t_B1 = t_B.unsqueeze(1);
  return {t_B, y_BD * (1.0 - t_B1) + normal_rows(key, ids_B, y_BD.size(1)) * t_B1, shown_BS};
}

AmbientDenoiser::AmbientDenoiser(const ModelSettings& settings, std::vector<std::int64_t> signal_shape, PixelLaw law)
    : settings_(settings), law_(law) {
  check<ConfigError>(settings.members == 1, "model.members = {}: ambient diffusion trains one network; set model.members = 1.", settings.members);
  shape_.dimension = 1;
  for (const std::int64_t extent : signal_shape) shape_.dimension *= extent;
  shape_.extents = std::move(signal_shape);
  shape_.planes = 1;
}

std::unique_ptr<Network> AmbientDenoiser::make_network(RandomKey key) const { return unchannel::make_network(settings_, shape_, key); }

at::Tensor AmbientDenoiser::elements(const at::Tensor& mask_BS) const {
  const std::int64_t B = mask_BS.size(0), S = plane_size();
  return mask_BS.to(at::kFloat).unsqueeze(1).expand({B, shape_.dimension / S, S}).reshape({B, shape_.dimension});
}

AmbientDenoiser::Alone AmbientDenoiser::pixels_alone(const AmbientInput& input) const {
  // x ~ N(m, s²), x_t = (1 − t) x + t z: x_t has variance c² = (1 − t)² s² + t², and x given x_t has variance s² t²/c².
  const double s2 = law_.deviation * law_.deviation;
  const at::Tensor t_B1 = input.t_B.unsqueeze(1), rest_B1 = 1.0 - t_B1;
  const at::Tensor total_B1 = rest_B1.square() * s2 + t_B1.square();
  const at::Tensor shown_BD = elements(input.shown_BS);
  // where, not a product: what is hidden may hold anything, and must not reach the network even as 0 · NaN.
  const at::Tensor excess_BD = at::where(shown_BD.ne(0.0), input.x_BD - rest_B1 * law_.mean, 0.0);
  return {excess_BD * (rest_B1 * s2 / total_B1) + law_.mean, (shown_BD * (t_B1.square() / total_B1 - 1.0) + 1.0).sqrt() * law_.deviation,
          excess_BD / total_B1.sqrt()};
}

at::Tensor AmbientDenoiser::mean(Network& network, const AmbientInput& input, const RandomKey* dropout_key, const at::Tensor& ids_B) const {
  const Alone alone = pixels_alone(input);
  NetworkInput seen;
  seen.x_BD = alone.whitened_BD;
  seen.t_B = input.t_B;
  seen.planes_BPS = (input.shown_BS * 2.0 - 1.0).unsqueeze(1);
  seen.training = dropout_key != nullptr;
  if (dropout_key) seen.dropout_key = *dropout_key;
  seen.ids_B = ids_B;
  at::Tensor out_BD;
  {
    const AutocastGuard autocast(settings_.precision == "bfloat16");
    out_BD = network.forward(seen).select(1, 0);
  }
  return alone.mean_BD + alone.deviation_BD * out_BD;
}

at::Tensor AmbientDenoiser::loss(const at::Tensor& mean_BD, const AmbientInput& input, const at::Tensor& y_BD, const at::Tensor& seen_BS) const {
  const at::Tensor error_BD = (mean_BD - y_BD) / pixels_alone(input).deviation_BD;
  return (error_BD.square() * elements(seen_BS)).mean();
}

at::Tensor AmbientDenoiser::restore(Network& network, const at::Tensor& y_BD, const at::Tensor& seen_BS, double t, RandomKey key,
                                    const at::Tensor& ids_B) const {
  const at::NoGradGuard no_grad;
  const AmbientInput input = ambient_input(y_BD, seen_BS.to(at::kFloat), at::full({y_BD.size(0)}, t, at::kFloat), key, ids_B);
  return at::where(elements(seen_BS).ne(0.0), y_BD, mean(network, input));
}

ConditionalMean AmbientDenoiser::fixed_mask_mean(Network& network, const at::Tensor& shown_BS) const {
  for (auto& [name, tensor] : network.parameters()) at::Tensor(tensor).set_requires_grad(false);
  return [this, &network, shown_BS](double t, const at::Tensor& x_BD) {
    return mean(network, {at::full({x_BD.size(0)}, t, at::kFloat), x_BD, shown_BS});
  };
}

at::Tensor AmbientDenoiser::sample(Network& network, const at::Tensor& shown_BS, const at::Tensor& z_BD, std::int64_t steps) const {
  const at::NoGradGuard no_grad;
  const ConditionalMean mean = fixed_mask_mean(network, shown_BS);
  return integrate_ode([&](double t, const at::Tensor& x_BD) { return (x_BD - mean(t, x_BD)) / t; }, z_BD, "multistep", steps);
}

}  // namespace unchannel::baselines
