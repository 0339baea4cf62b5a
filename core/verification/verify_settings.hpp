#pragma once

#include <cstdint>
#include <string>

#include <unchannel/base/config.hpp>

namespace unchannel::verification {

/// How the engine is trained on a Gaussian case, and how closely it has to follow the theory.
struct VerifySettings {
  std::string family = "affine";
  std::int64_t iterations = 6;
  std::int64_t repeats = 3;
  std::int64_t rows = 32768;
  std::int64_t steps = 600;
  std::int64_t batch = 1024;
  double learning_rate = 0.02;
  std::int64_t width = 64;
  std::int64_t depth = 8;
  std::int64_t transport_steps = 64;
  double fit_tolerance = 0.01;
  std::int64_t key = 1;
  std::int64_t threads = 1;
  std::string fault = "none";

  void visit(SettingsVisitor& visitor);
};

}  // namespace unchannel::verification
