#include "process_state.hpp"

#include <fmt/core.h>
#include <signal.h>
#include <string.h>

#include <clocale>
#include <filesystem>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace unchannel {

std::uint64_t float_control() noexcept {
#if defined(__x86_64__)
  return _mm_getcsr() & ~0x3Fu;  // the low six bits record exceptions that happened
#else
  std::uint64_t control = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  return control;
#endif
}

void set_float_control(std::uint64_t control) noexcept {
#if defined(__x86_64__)
  _mm_setcsr((_mm_getcsr() & 0x3Fu) | static_cast<unsigned>(control));
#else
  __asm__ volatile("msr fpcr, %0" : : "r"(control));
#endif
}

ProcessState ProcessState::capture() {
  ProcessState state;
  state.float_control_ = float_control();
  state.locale_ = std::setlocale(LC_ALL, nullptr);
  std::error_code error;
  state.working_directory_ = std::filesystem::current_path(error).string();  // empty when it was removed: nothing to compare
  for (int signal = 1; signal < kSignals; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0) continue;  // numbers the C library keeps for itself
    state.handlers_[signal] = reinterpret_cast<void*>(action.sa_handler);
    state.handler_flags_[signal] = action.sa_flags;
  }
  return state;
}

std::string ProcessState::difference(const ProcessState& later) const {
  std::string text;
  const auto add = [&text](const std::string& item) { text += (text.empty() ? "" : "; ") + item; };
  if (float_control_ != later.float_control_) {
    add(fmt::format("the floating-point mode ({:#x} became {:#x}; was it linked with -ffast-math?)", float_control_, later.float_control_));
  }
  if (locale_ != later.locale_) add(fmt::format("the locale ('{}' became '{}')", locale_, later.locale_));
  if (working_directory_ != later.working_directory_) {
    add(fmt::format("the working directory ('{}' became '{}')", working_directory_, later.working_directory_));
  }
  for (int signal = 1; signal < kSignals; ++signal) {
    if (handlers_[signal] == later.handlers_[signal]) continue;
    const char* name = ::sigabbrev_np(signal);
    add(name ? fmt::format("the handler of SIG{}", name) : fmt::format("the handler of signal {}", signal));
  }
  return text;
}

void ProcessState::restore() const {
  set_float_control(float_control_);
  std::setlocale(LC_ALL, locale_.c_str());
  std::error_code ignored;  // a removed folder cannot be returned to
  if (!working_directory_.empty()) std::filesystem::current_path(working_directory_, ignored);
  for (int signal = 1; signal < kSignals; ++signal) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || reinterpret_cast<void*>(now.sa_handler) == handlers_[signal]) continue;
    now.sa_handler = reinterpret_cast<void (*)(int)>(handlers_[signal]);
    now.sa_flags = handler_flags_[signal];
    ::sigaction(signal, &now, nullptr);
  }
}

}  // namespace unchannel
