#pragma once

#include <string>

namespace unchannel {

/// What `model.precision = "auto"` means here: "bfloat16" where the processor multiplies it by itself (AVX512-BF16, AMX), otherwise
/// "float32", because emulated bfloat16 is ten times slower than that.
std::string native_precision();

/// bf16 autocast on the CPU while the guard lives; the previous state returns afterwards, also when an exception passes.
class AutocastGuard {
 public:
  explicit AutocastGuard(bool enabled);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  bool enabled_;
  bool previous_ = false;
};

}  // namespace unchannel
