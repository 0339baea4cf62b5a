#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace unchannel {

/// What a plugin must leave as it found it: floating-point control (rounding, flush to zero), locale, working directory and
/// signal handlers. A library linked with -ffast-math changes the first when it is merely loaded.
class ProcessState {
 public:
  static ProcessState capture();

  /// What differs in `later`, in words, e.g. "the floating-point mode (…)"; empty when nothing does.
  std::string difference(const ProcessState& later) const;

  /// Puts everything back as captured.
  void restore() const;

 private:
  static constexpr int kSignals = 65;
  std::uint64_t float_control_ = 0;
  std::string locale_;
  std::string working_directory_;
  std::array<void*, kSignals> handlers_{};
  std::array<int, kSignals> handler_flags_{};
};

/// Control bits of the calling thread's floating-point unit (MXCSR or FPCR, without the sticky exception flags). Cheap.
std::uint64_t float_control() noexcept;
void set_float_control(std::uint64_t control) noexcept;

}  // namespace unchannel
