#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <unchannel/base/random.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/transport/drift_model.hpp>

// Shape legend: B samples · D signal elements · M observation elements
namespace unchannel::baselines {

/// x̂ = E[x | x_t] of a generator, x_t = (1 − t) x + t z with z ~ N(0, I): [B, D] float32 → [B, D], differentiable in x_t by autograd,
/// sample by sample. t ∈ (0, 1].
using ConditionalMean = std::function<at::Tensor(double t, const at::Tensor& x_BD)>;

/// That of a trained generator, at the time levels of its interpolant. Keeps references to both; the weights stop requiring gradients.
/// Throws ConfigError when the interpolant has a γ or the model sees latents: then x_t is another variable.
ConditionalMean conditional_mean(const DriftModel& model, Network& network);

/// x̂ at one (t, x_t) with the transposed products of its Jacobian J = ∂x̂/∂x_t.
class LinearisedMean {
 public:
  LinearisedMean(const ConditionalMean& mean, double t, const at::Tensor& x_BD);
  const at::Tensor& value_BD() const { return value_BD_; }
  /// Jᵀ v, [B, D] → [B, D], by one backward pass. J of a conditional mean is symmetric: t² J / (1 − t) = Cov[x | x_t].
  at::Tensor transposed(const at::Tensor& v_BD) const;

 private:
  at::Tensor x_BD_, graph_BD_, value_BD_;
};

/// Observations y with the latents that belong to them, seen through the channel's mean A(x) and its vjp. Elements of y whose mean does not
/// depend on the signal (hidden pixels of a mask, which hold noise of another law) count nowhere.
class Measured {
 public:
  /// latents: every latent of the channel, [B, L…]. Keeps a reference to the channel. Throws ConfigError when the channel has no mean or no
  /// vjp, ShapeError when rows do not agree.
  Measured(const Channel& channel, Latents latents, const at::Tensor& y_BM);

  std::int64_t rows() const { return y_BM_.size(0); }
  std::int64_t signal_size() const { return probe_BD_.size(1); }
  /// y − A(x), 0 in elements that do not count: [B, D] → [B, M].
  at::Tensor residual(const at::Tensor& x_BD) const;
  /// Transposed derivative of A at x applied to v: [B, D], [B, M] → [B, D].
  at::Tensor transposed(const at::Tensor& x_BD, const at::Tensor& v_BM) const;
  /// A(v) − A(0): the derivative itself where A is affine.
  at::Tensor linear_part(const at::Tensor& v_BD) const;
  /// Throws ConfigError unless A is affine in x, by two probes.
  void check_affine() const;

 private:
  const Channel& channel_;
  Latents latents_;
  at::Tensor y_BM_, probe_BD_, offset_BM_, counts_BM_;
};

/// DPS, Algorithm 1 of Chung et al. 2023: ancestral steps of the generator, each followed by x ← x − guidance · ∇_{x_t} misfit.
struct DpsOptions {
  std::string form = "norm";  ///< "squared": |y − A(x̂)|², Algorithm 1 with a constant ζ. "norm": |y − A(x̂)|, what the published code does
  double guidance = 0.0;     ///< ≥ 0, in every step; the published code has 0.3 to 1 for "norm" and 1,000 steps
  std::int64_t steps = 256;  ///< equal ones
};

/// The misfit's gradient in x_t, sample by sample, through the network and the channel. Zero where the misfit is.
at::Tensor misfit_gradient(const LinearisedMean& mean, const Measured& measured, const std::string& form);

/// One draw for each observation: [B, D] float32. Row b is a function of (key, ids_B[b]), its observation and its latents. guidance = 0
/// draws from the generator. Biased for any other: docs/theory/guided_sampling.md. Throws ConfigError.
at::Tensor sample_dps(const ConditionalMean& mean, const Measured& measured, const DpsOptions& options, RandomKey key,
                      const at::Tensor& ids_B);

/// The guidance of `grid` whose draws are nearest to the *truth* (least RMSE); draws that are not finite are out. Using the truth flatters
/// the method: report it as "tuned on truth". Throws NumericalError when no draw was finite.
struct TunedGuidance {
  double guidance = 0;
  double rmse = 0;
  std::vector<double> tried_rmse;  ///< in the grid's order
};
TunedGuidance tune_guidance(const std::vector<double>& grid, const at::Tensor& truth_BD, const std::function<at::Tensor(double)>& draw);

}  // namespace unchannel::baselines
