// lifecycle-2000, init-twice.
#include "checks.hpp"
#include "process_usage.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

constexpr int kLives = 2000, kSettling = 200;
// A leak of 32 bytes a life is seen; what a cache settles to after 200 lives is not.
constexpr std::int64_t kMostHeapBytes = 32 * (kLives - kSettling);
// Memory that does not come from malloc: pages, so more room for what the allocator itself keeps.
constexpr std::int64_t kMostResidentBytes = std::int64_t{24} << 20;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasurable = false;  // the sanitizer keeps freed memory
#else
constexpr bool kMeasurable = true;
#endif

}  // namespace

void check_lifecycle_2000(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto first = subject.configured();
  const Batch batch = make_batch(*first, 1);
  const ChannelShape shape = first->layout().x_shape;
  const auto values = subject.values();
  ProcessUsage settled;
  for (int life = 0; life < kLives; ++life) {
    if (life == kSettling) settled = ProcessUsage::now();
    const auto instance = subject.create();
    const auto outcome = instance->configure(shape, values);
    check<CheckFailed>(outcome.status == UNCHANNEL_OK, "life {}: configure answers {}: {}", life, status_name(outcome.status),
                       outcome.error);
    call_ok(*instance, Operation::draw_latents, batch);
    call_ok(*instance, Operation::simulate, batch);
  }
  const ProcessUsage after = ProcessUsage::now();
  const std::int64_t heap = after.allocated_bytes - settled.allocated_bytes, resident = after.resident_bytes - settled.resident_bytes;
  detail["heap_growth_bytes"] = heap;
  detail["resident_growth_bytes"] = resident;
  check<CheckFailed>(after.threads <= settled.threads, "{} threads were left behind by {} lives.", after.threads - settled.threads,
                     kLives - kSettling);
  check<CheckFailed>(after.open_files <= settled.open_files, "{} open files were left behind by {} lives.",
                     after.open_files - settled.open_files, kLives - kSettling);
  check<CheckFailed>(!kMeasurable || heap <= kMostHeapBytes, "{} bytes were not freed by {} lives, {} each.", heap, kLives - kSettling,
                     heap / (kLives - kSettling));
  check<CheckFailed>(!kMeasurable || resident <= kMostResidentBytes, "{} kB of memory were left behind by {} lives.", resident >> 10,
                     kLives - kSettling);
}

void check_init_twice(const CheckRequest& request, nlohmann::json&) {
  Subject subject(request);
  const bool comparable = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  CallResult before;
  Batch batch;
  {
    const auto one = subject.configured();
    batch = make_batch(*one, 3);
    before = call_ok(*one, Operation::simulate, batch);
    // A second instance, configured, used and destroyed, must not be felt by the first.
    { make_batch(*subject.configured(), 2, 99, 5000); }
    const std::string felt = comparable ? difference(Operation::simulate, before, call_ok(*one, Operation::simulate, batch)) : "";
    check<CheckFailed>(felt.empty(), "a second instance changes the first: {}.", felt);
  }
  for (int round = 0; round < 2; ++round) {
    subject.restart();
    const auto again = subject.configured();
    const CallResult after = call_ok(*again, Operation::simulate, batch);
    const std::string changed = comparable ? difference(Operation::simulate, before, after) : "";
    check<CheckFailed>(changed.empty(), "after shutdown and init {}.", changed);
  }
}

}  // namespace unchannel::conformance
