#pragma once

namespace unchannel {

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
