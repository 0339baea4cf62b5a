#include "network.hpp"

#include <torch/nn.h>

#include <limits>

#include <unchannel/base/error.hpp>

#include "device.hpp"
#include "families.hpp"

namespace unchannel {

void ModelSettings::visit(SettingsVisitor& visitor) {
  visitor.choice({"family",
                  "Network of the drift: fully connected, affine in the signal (enough where signals and noise are Gaussian), 1-D U-Net along the "
                  "wavelength axis, or 2-D U-Net for images [planes, height, width]."},
                 family, {"mlp", "affine", "unet1d", "unet2d"});
  visitor.choice({"space",
                  "Where the network works: in the coordinates of the fitted Gaussian's basis plus the level of what lies outside it "
                  "(needs start.kind = \"linear\"), or on the data elements themselves."},
                 space, {"basis", "elements"});
  visitor.integer({"width", "Hidden units of the MLP; planes of the first U-Net level."}, width, 4, 16384);
  visitor.integer({"depth", "Residual blocks of the MLP; affine: degree of its polynomials in t. The U-Nets ignore it."}, depth, 1, 64);
  visitor.integer({"input_octaves",
                   "MLP: sines and cosines of its inputs at this many frequencies 1, 2, 4, ... join them. For few dimensions with fine "
                   "structure, which a perceptron learns slowly."},
                  input_octaves, 0, 16);
  visitor.integers({"multipliers", "Planes of each U-Net level in units of width; each level halves the resolution."}, multipliers, 1, 64);
  visitor.integer({"blocks_per_level", "Residual blocks of each U-Net level."}, blocks_per_level, 1, 16);
  visitor.integers({"attention", "2-D U-Net: heights (in pixels) of the levels with self-attention, e.g. [16, 8]; empty: none."}, attention, 1, 4096);
  visitor.integer({"head_planes", "2-D U-Net: planes of one attention head."}, head_planes, 1, 4096);
  visitor.number({"max_position", "2-D U-Net: longest period of the time embedding, in units of t; the shortest is 1 [SCSI, published code]."}, max_position,
                 1.0, 1e6);
  visitor.number({"dropout", "Dropout probability inside residual blocks; off in transport."}, dropout, 0.0, 0.95);
  visitor.integer({"members",
                   "Networks of a committee. Each learns from all observations but its own share, and restores that share in training; so no "
                   "network is taught its own errors about a row. Restorations of new rows average all. 1: a single network."},
                  members, 1, 16);
  visitor.choice({"precision",
                  "Arithmetic of the network: float32, bfloat16 by autocast (weights stay float32), or auto: bfloat16 where the processor "
                  "multiplies it natively, decided when a run starts."},
                 precision, {"auto", "float32", "bfloat16"});
  visitor.choice({"device",
                  "Where the network computes: cpu, cuda, or auto: cuda where build and machine have one, decided by each command. All else stays on the "
                  "CPU. Untested on a GPU."},
                 device, {"auto", "cpu", "cuda"});
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  visitor.number({"signal_min",
                  "Known least value of a signal's elements, e.g. 0.0 for fluxes or -1.0 for images in [-1, 1]: transports and starts stay inside. "
                  "-inf: none.",
                  "signal units"},
                 signal_min, -kInfinity, kInfinity);
  visitor.number({"signal_max", "Known greatest value of a signal's elements; inf: none.", "signal units"}, signal_max, -kInfinity, kInfinity);
}

std::int64_t Network::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : parameters()) count += tensor.numel();
  return count;
}

namespace {

std::unique_ptr<Network> make_family(const ModelSettings& settings, const NetworkShape& shape, RandomKey key) {
  if (settings.family == "mlp") return make_mlp(settings, shape, key);
  if (settings.family == "affine") return make_affine(settings, shape);
  if (settings.family == "unet1d") return make_unet1d(settings, shape, key);
  if (settings.family == "unet2d") return make_unet2d(settings, shape, key);
  throw ConfigError(fmt::format("model.family '{}' is unknown.", settings.family));
}

}  // namespace

std::unique_ptr<Network> make_network(const ModelSettings& settings, const NetworkShape& shape, RandomKey key) {
  if (settings.members > 1) return make_committee(settings, shape, key);
  return on_device(make_family(settings, shape, key), device_named(settings.device));
}

void copy_parameters(const Network& source, Network& target) {
  at::NoGradGuard no_grad;
  const auto from = source.parameters();
  const auto to = target.parameters();
  for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second);
}

}  // namespace unchannel
