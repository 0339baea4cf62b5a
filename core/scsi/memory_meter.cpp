#include "memory_meter.hpp"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <atomic>

namespace unchannel {
namespace {

/// Told of every allocation by LibTorch's own hook for profilers. A backward pass may free on another thread.
struct Report final : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device device) override {
    if (!device.is_cpu()) return;
    const std::int64_t now = held.fetch_add(bytes) + bytes;
    std::int64_t seen = peak.load();
    while (now > seen && !peak.compare_exchange_weak(seen, now)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::atomic<std::int64_t> held{0}, peak{0};
};

}  // namespace

struct MemoryMeter::State {
  std::shared_ptr<Report> report = std::make_shared<Report>();
  c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, report};
};

MemoryMeter::MemoryMeter() : state_(std::make_unique<State>()) {}
MemoryMeter::~MemoryMeter() = default;

std::int64_t MemoryMeter::peak_bytes() const { return state_->report->peak; }
void MemoryMeter::reset_peak() { state_->report->peak = state_->report->held.load(); }

}  // namespace unchannel
