#pragma once

#include <cstdint>
#include <string>

#include <unchannel/base/config.hpp>

namespace unchannel {

/// The posterior sampler that `unchannel posterior` trains.
struct SamplerSettings {
  std::string signals;
  std::int64_t rows = 0;
  std::int64_t held_out_rows = 1024;
  std::int64_t steps = 4000;
  std::int64_t batch = 256;
  std::int64_t resamples = 2;
  std::int64_t solver_steps = 16;
  std::int64_t calibration_samples = 79;

  void visit(SettingsVisitor& visitor);
};

}  // namespace unchannel
