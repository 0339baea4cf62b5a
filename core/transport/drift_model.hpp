#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include <unchannel/interpolant/gaussian_bridge.hpp>
#include <unchannel/nn/network.hpp>

#include "condition_encoder.hpp"
#include "solver.hpp"

// Shape legend: G groups of equal time · N samples of a group · D data dimension · Q model coordinates (R in the basis, else D)
namespace unchannel {

/// Location and scale of the observations, fixed before training and stored with the model.
struct Normalisation {
  at::Tensor mean_D;
  double scale = 1.0;
};

/// The learnt conditional means E[x | I_t] and E[z | I_t]: closed-form Gaussian bridge (when there is one) plus network.
/// Model coordinates are those of the bridge's basis (`space = "basis"`) or the data elements (`space = "elements"`).
class DriftModel {
 public:
  struct Prediction {
    at::Tensor signal_GNQ;
    at::Tensor noise_GNQ;  ///< undefined where no denoiser is learnt
  };
  struct Context {
    at::Tensor planes_BPS;     ///< visible latents of the G·N samples, encoded
    at::Tensor conditions_BC;
    bool training = false;
    RandomKey dropout_key{0};
    at::Tensor ids_B;
    at::Tensor member_B;       ///< committees: see NetworkInput
  };

  /// `signal_shape`: axes of a signal. Throws ConfigError when the basis is asked for without a bridge.
  DriftModel(const ModelSettings& settings, const Interpolant& interpolant, std::optional<GaussianBridge> bridge,
             Normalisation normalisation, ConditionEncoder encoder, std::vector<std::int64_t> signal_shape);

  /// A network of this model's shape.
  std::unique_ptr<Network> make_network(RandomKey key) const;

  /// level_G int64 in [1, L], interpolated_GND.
  Prediction predict(Network& network, const at::Tensor& level_G, const at::Tensor& interpolated_GND, const Context& context) const;

  /// Signals → model coordinates (the regression target), and predictions → data elements.
  at::Tensor encode(const at::Tensor& signal) const;
  at::Tensor decode(const at::Tensor& coordinates) const;
  /// Projection onto the known range of signals, model.signal_min to model.signal_max.
  at::Tensor within_range(const at::Tensor& signals) const;

  /// Mean over samples of weight_t·|x̂ − x|² (+ |ẑ − z|²). The weight is one over the bridge's conditional variance at t, so that
  /// all times count alike; without a bridge it is one over the squared corruption, t⁻² for the linear path, which makes it the drift loss of [SCSI, eq. 3].
  /// weight_GN, when defined, multiplies each sample's share.
  at::Tensor loss(const Prediction& prediction, const at::Tensor& level_G, const at::Tensor& signal_GNQ, const at::Tensor& noise_GNQ,
                  const at::Tensor& weight_GN) const;

  /// Φ(y) [N, D] → [N, D] without gradients, in batches. ids_N and key are used by the SDE only. With member_N [N] (may be undefined)
  /// each row is transported by that member of a committee, else by the mean of all.
  at::Tensor transport(Network& network, const at::Tensor& y_ND, const std::map<std::string, at::Tensor>& visible,
                       const Integration& how, RandomKey key, const at::Tensor& ids_N, const at::Tensor& member_N = {}) const;

  const Interpolant& interpolant() const { return interpolant_; }
  const std::optional<GaussianBridge>& bridge() const { return bridge_; }
  const ConditionEncoder& encoder() const { return encoder_; }
  const Normalisation& normalisation() const { return normalisation_; }
  const ModelSettings& settings() const { return settings_; }
  const std::vector<std::int64_t>& signal_shape() const { return signal_shape_; }

 private:
  bool in_basis() const { return settings_.space == "basis"; }
  /// Scale of the corruption that I_t holds at each level, in data units [G].
  at::Tensor corruption(const at::Tensor& level_G) const;
  /// I_t/(α+β) less the network's output at that scale: what E[x | I_t] is built on without a bridge.
  at::Tensor without_corruption(const at::Tensor& level_G, const at::Tensor& interpolated_GND, const at::Tensor& out_GND) const;
  SdeTerms terms(std::int64_t level, const at::Tensor& x_ND, const Prediction& prediction) const;
  at::Tensor row_drift(Network& network, const at::Tensor& level_N, const at::Tensor& x_ND, const Context& context) const;
  at::Tensor transport_batch(Network& network, const at::Tensor& y_ND, const Context& context, const Integration& how, RandomKey key,
                             const at::Tensor& ids_N) const;
  at::Tensor transport_adaptive(Network& network, const at::Tensor& y_ND, const Context& context, double tolerance) const;
  /// ẑ in data elements, the part outside the basis included.
  at::Tensor decode_noise(std::int64_t level, const at::Tensor& interpolated_ND, const at::Tensor& noise_NQ) const;

  ModelSettings settings_;
  Interpolant interpolant_;
  std::optional<GaussianBridge> bridge_;
  Normalisation normalisation_;
  ConditionEncoder encoder_;
  std::vector<std::int64_t> signal_shape_;
};

}  // namespace unchannel
