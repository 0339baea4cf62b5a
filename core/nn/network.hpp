#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unchannel/base/config.hpp>
#include <unchannel/base/random.hpp>

// Shape legend: B batch · D data dimension · P planes · S elements of a plane · C scalar conditions · K outputs (1 drift, 2 drift and denoiser)
namespace unchannel {

/// Architecture of the drift model.
struct ModelSettings {
  std::string family = "mlp";
  std::string space = "basis";
  std::int64_t width = 768;
  std::int64_t depth = 4;
  std::int64_t input_octaves = 0;
  std::vector<std::int64_t> multipliers = {1, 2, 3, 4};
  std::int64_t blocks_per_level = 2;
  std::vector<std::int64_t> attention = {};
  std::int64_t head_planes = 64;
  double max_position = 2.0;
  double dropout = 0.0;
  std::int64_t members = 1;
  std::string precision = "float32";
  std::string device = "auto";
  double signal_min = -std::numeric_limits<double>::infinity();
  double signal_max = std::numeric_limits<double>::infinity();

  void visit(SettingsVisitor& visitor);
};

/// What a network needs to know about its data.
struct NetworkShape {
  std::int64_t dimension = 0;   ///< D
  std::vector<std::int64_t> extents = {};  ///< axes of a signal, e.g. {3, 32, 32} for an RGB image; empty: one axis of D elements
  std::int64_t planes = 0;      ///< P visible latents with a value for each place of the signal
  std::int64_t conditions = 0;  ///< C visible scalar latents and derived features
  std::int64_t outputs = 1;     ///< K

  /// S: height times width of an image, else D.
  std::int64_t plane_size() const { return extents.size() == 3 ? extents[1] * extents[2] : dimension; }
};

/// One evaluation. Tensors are float32 and normalised by the caller to order one.
struct NetworkInput {
  at::Tensor x_BD;
  at::Tensor t_B;
  at::Tensor planes_BPS;       ///< undefined when P = 0
  at::Tensor conditions_BC;    ///< undefined when C = 0
  bool training = false;       ///< dropout on
  RandomKey dropout_key{0};    ///< keyed by step; samples by `ids_B`
  at::Tensor ids_B;            ///< int64, needed when training with dropout
  /// Committees only: int64 member that answers each row; undefined: the mean of all. A single network ignores it.
  at::Tensor member_B;
};

/// A learned function (t, x, latents) → [B, K, D]. Its output layer starts at zero, so that training starts from the fixed skip.
class Network {
 public:
  virtual ~Network() = default;
  virtual at::Tensor forward(const NetworkInput& input) = 0;
  /// Name and tensor of every parameter, in a fixed order.
  virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const = 0;
  std::int64_t parameter_count() const;
};

/// Builds the family named in `settings` on the device named there; weights are a pure function of `key`. Throws ConfigError.
std::unique_ptr<Network> make_network(const ModelSettings& settings, const NetworkShape& shape, RandomKey key);

/// Copies every parameter of `source` into `target` (same architecture).
void copy_parameters(const Network& source, Network& target);

}  // namespace unchannel
