#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/nn/network.hpp>

#include "unknown_settings.hpp"

// Shape legend: N rows · D signal dimensions · K directions without signal
namespace unchannel::identification {

/// The set that all signals are known to lie in, by constraint = "signal_free" or "range", and the projection P onto it.
class SignalSet {
 public:
  /// None where the constraint is another one. Throws ConfigError when elements or directions do not fit `dimension` or span everything.
  static std::optional<SignalSet> declared(const UnknownSettings& unknown, const ModelSettings& model, std::int64_t dimension);

  /// x_ND [N, D] float32 → [N, D].
  at::Tensor project(const at::Tensor& x_ND) const;
  /// √(mean |y − P y|²) over the rows of lifted observations, data units: what of the observations cannot be signal.
  double outside_rms(const at::Tensor& y_ND) const;

 private:
  at::Tensor keep_D_;   ///< 0 at elements without signal, 1 elsewhere; undefined for a range
  at::Tensor free_DK_;  ///< orthonormal, no component at those elements
  double low_ = 0, high_ = 0;
};

/// F(P x): the channel for signals that have no component outside the set, so that no law of signals can hold what only noise or a wider
/// kernel can put there. `inner` where the constraint is not "signal_free"; a range is kept by model.signal_min and signal_max.
std::unique_ptr<Channel> with_signal_set(std::unique_ptr<Channel> inner, const UnknownSettings& unknown, const ModelSettings& model);

}  // namespace unchannel::identification
