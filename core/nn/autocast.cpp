#include "autocast.hpp"

#include <ATen/autocast_mode.h>
#include <ATen/cpu/Utils.h>

namespace unchannel {

std::string native_precision(const std::string& device) {
  if (device == "cuda") return "bfloat16";
  const auto capabilities = at::cpu::get_cpu_capabilities();
  for (const char* name : {"avx512_bf16", "amx_bf16"}) {
    const auto found = capabilities.find(name);
    if (found != capabilities.end() && found->second.isBool() && found->second.toBool()) return "bfloat16";
  }
  return "float32";
}

AutocastGuard::AutocastGuard(bool enabled) : enabled_(enabled) {
  if (!enabled_) return;
  previous_cpu_ = at::autocast::is_autocast_enabled(at::kCPU);
  previous_cuda_ = at::autocast::is_autocast_enabled(at::kCUDA);
  for (const at::DeviceType device : {at::kCPU, at::kCUDA}) {
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
  }
  at::autocast::increment_nesting();
}

AutocastGuard::~AutocastGuard() {
  if (!enabled_) return;
  // Casted weights are cached while a guard lives; the outermost guard must drop them, or an update would be invisible.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, previous_cpu_);
  at::autocast::set_autocast_enabled(at::kCUDA, previous_cuda_);
}

}  // namespace unchannel
