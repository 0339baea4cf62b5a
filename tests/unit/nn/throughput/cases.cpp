#include "cases.hpp"

namespace unchannel {

std::vector<ThroughputCase> throughput_cases() {
  ModelSettings mlp;
  mlp.width = 768;
  mlp.depth = 4;

  ModelSettings unet1d;  // configs/quasar/boss.toml
  unet1d.family = "unet1d";
  unet1d.width = 16;
  unet1d.blocks_per_level = 1;

  ModelSettings unet2d;  // [SCSI, appendix C] without attention at full resolution
  unet2d.family = "unet2d";
  unet2d.width = 64;
  unet2d.blocks_per_level = 3;
  unet2d.attention = {16, 8};

  ModelSettings small;
  small.family = "unet2d";
  small.width = 32;
  small.multipliers = {1, 2, 2};

  return {{"mlp", mlp, {.dimension = 128}, 1024},
          {"unet1d", unet1d, {.dimension = 1024}, 32},
          {"unet2d_small", small, {.dimension = 784, .extents = {1, 28, 28}}, 16},
          {"unet2d", unet2d, {.dimension = 3072, .extents = {3, 32, 32}}, 4}};
}

}  // namespace unchannel
