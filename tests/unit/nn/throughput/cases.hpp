#pragma once

#include <string>
#include <vector>

#include <unchannel/nn/network.hpp>

namespace unchannel {

/// One network and batch whose throughput is measured.
struct ThroughputCase {
  std::string name;
  ModelSettings model;
  NetworkShape shape;
  std::int64_t batch;
};

/// One for each model family at the size its configurations have, and a small 2-D U-Net.
std::vector<ThroughputCase> throughput_cases();

}  // namespace unchannel
