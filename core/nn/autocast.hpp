#pragma once

#include <string>

namespace unchannel {

/// What `model.precision = "auto"` means here: "bfloat16" where the processor multiplies it by itself (AVX512-BF16, AMX), otherwise
/// "float32", because emulated bfloat16 is ten times slower than that.
/// On a GPU ("cuda"): "bfloat16".
std::string native_precision(const std::string& device = "cpu");

/// bf16 autocast on CPU and GPU while the guard lives; the previous state returns afterwards, also when an exception passes.
class AutocastGuard {
 public:
  explicit AutocastGuard(bool enabled);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  bool enabled_;
  bool previous_cpu_ = false, previous_cuda_ = false;
};

}  // namespace unchannel
