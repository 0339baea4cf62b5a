#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unchannel/nn/network.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/scsi/gaussian_fit.hpp>
#include <unchannel/transport/drift_model.hpp>

// Shape legend: B rows · D data dimension · Q coordinates (R of the fitted Gaussian's basis, else D) · P planes of S elements · C conditions
namespace unchannel {

/// What a sampler makes of observations before the first draw; draws of one observation share it.
struct Evidence {
  at::Tensor lifted_BD;
  at::Tensor centre_BQ;      ///< m(y): the run's estimate of E[x | y]
  at::Tensor planes_BPS;     ///< network inputs; undefined where there are none
  at::Tensor conditions_BC;

  std::int64_t size() const { return centre_BQ.size(0); }
  Evidence rows(const at::Tensor& index_B) const;
};

/// The conditional interpolant I = m + cos φ (x − m) + sin φ w, φ = πt/2, from a signal x (t = 0) to a base draw m + w (t = 1) that depends on x
/// through the observation only. m(y) is the guide, the finished run's E[x | y]; w is white noise of the deviations s, or, in the basis, a draw of the
/// fitted Gaussian's posterior scatter scaled to them, so that for Gaussian signals a network at zero draws the posterior. The network learns the
/// velocity v = E[dI/dφ | I, y] in units of s, the root mean square of x − m. docs/theory/posterior.md.
class ConditionalModel {
 public:
  /// How a network is asked, beside its inputs.
  struct Pass {
    bool training = false;
    RandomKey dropout_key{0};
    at::Tensor ids_B;     ///< with dropout
    at::Tensor member_B;  ///< committees: see NetworkInput
  };

  /// `frame`: what fixes the coordinates: normalisation of the signals, latent encoding, and with space = "basis" the fitted Gaussian.
  /// deviation_Q: s, positive.
  ConditionalModel(DriftModel frame, Normalisation observations, at::Tensor deviation_Q);

  std::unique_ptr<Network> make_network(RandomKey key) const;

  /// lifted_BD: observations brought to the signal's space; `visible`: latents that the run's network sees; guide_BD: the run's E[x | y].
  Evidence evidence(const at::Tensor& lifted_BD, const std::map<std::string, at::Tensor>& visible, const at::Tensor& guide_BD) const;

  /// x − m(y) in coordinates, [B, D] → [B, Q].
  at::Tensor offsets(const at::Tensor& x_BD, const Evidence& evidence) const;
  /// w of the base draw. Row i is a pure function of (key, ids[i]) and its own observation.
  at::Tensor base(const Evidence& evidence, RandomKey key, const at::Tensor& ids_B) const;
  /// v at times t_B in (0, 1] and places I − m.
  at::Tensor velocity(Network& network, const at::Tensor& t_B, const at::Tensor& place_BQ, const Evidence& evidence, const Pass& pass) const;
  /// Mean over rows of |v − target|² / |s|². weight_B, when defined, multiplies each row's share.
  at::Tensor loss(const at::Tensor& velocity_BQ, const at::Tensor& target_BQ, const at::Tensor& weight_B) const;

  /// One draw of x | y for each row, [B, D], without gradients: the ODE from t = 1 to 0 in `steps` midpoint steps, inside the known range of signals.
  at::Tensor draw(Network& network, const Evidence& evidence, std::int64_t steps, RandomKey key, const at::Tensor& ids_B,
                  const at::Tensor& member_B = {}) const;
  /// E[x | y] [B, D] by one network call: at t = 1 the place says nothing about x.
  at::Tensor mean(Network& network, const Evidence& evidence, RandomKey key, const at::Tensor& ids_B, const at::Tensor& member_B = {}) const;

  const ModelSettings& settings() const { return frame_.settings(); }

  /// The fixed parts to and from a checkpoint's tensors and text.
  void store(TensorFile& file) const;
  static ConditionalModel load(const TensorFile& file, const ModelSettings& settings);

 private:
  at::Tensor signals(const at::Tensor& offsets_BQ, const Evidence& evidence) const;
  at::Tensor bounded(const at::Tensor& velocity_BQ, double t, const at::Tensor& place_BQ, const Evidence& evidence) const;

  DriftModel frame_;
  Normalisation observations_;
  std::optional<GaussianFit> gaussian_;
  at::Tensor deviation_Q_;  ///< s
  at::Tensor stretch_Q_;    ///< s over the standard deviations of the Gaussian's scatter
};

/// Root mean square of x − m(y) in the coordinates of `frame`, not below a thousandth of the largest: s.
at::Tensor guide_deviation(const DriftModel& frame, const at::Tensor& x_BD, const at::Tensor& guide_BD);

/// The path of a frame's Gaussian: only its end t = 1, the observation, is asked for.
InterpolantSettings frame_path();

}  // namespace unchannel
