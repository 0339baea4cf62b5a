// thread-class.
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

constexpr int kThreads = 4;
constexpr std::chrono::milliseconds kDuration{300};
constexpr int kFewestRounds = 5;

/// One thread's own data and what they give when nobody else calls.
struct Work {
  const Instance* instance = nullptr;
  Batch batch;
  std::vector<std::pair<Operation, CallResult>> expected;
};

Work prepare(const Instance& instance, int thread) {
  Work work{&instance, make_batch(instance, sample_count(instance.layout(), 8), 5, static_cast<std::uint64_t>(1000 * thread)), {}};
  for (const Operation operation : offered_operations(instance)) {
    work.expected.emplace_back(operation, call_ok(instance, operation, work.batch));
  }
  return work;
}

/// Repeats everything until the time is over; the first difference, or "".
std::string repeat(const Work& work, bool comparable, std::chrono::steady_clock::time_point end, std::atomic<std::int64_t>& calls) {
  for (int round = 0; round < kFewestRounds || std::chrono::steady_clock::now() < end; ++round) {
    for (const auto& [operation, expected] : work.expected) {
      const CallResult result = call(*work.instance, operation, work.batch);
      ++calls;
      if (result.status != UNCHANNEL_OK) {
        return fmt::format("{} answers {}: {}", operation_name(operation), status_name(result.status), result.error);
      }
      if (!comparable) continue;
      const std::string changed = difference(operation, expected, result);
      if (!changed.empty()) return changed + ".";
    }
  }
  return "";
}

std::string run_together(const std::vector<Work>& works, bool comparable, std::atomic<std::int64_t>& calls) {
  std::mutex mutex;
  std::string first;
  std::vector<std::thread> threads;
  const auto end = std::chrono::steady_clock::now() + kDuration;
  for (const Work& work : works) {
    threads.emplace_back([&, end] {
      std::string problem;
      try {
        problem = repeat(work, comparable, end, calls);
      } catch (const std::exception& error) {
        problem = error.what();
      }
      const std::lock_guard lock(mutex);
      if (first.empty()) first = problem;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return first;
}

}  // namespace

void check_thread_class(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const std::int32_t thread_class = subject.description().thread_class;
  if (thread_class == UNCHANNEL_THREADS_PROCESS_SERIAL) {
    throw CheckSkipped("the channel declares PROCESS_SERIAL: nothing may run at the same time.");
  }
  const bool comparable = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  std::atomic<std::int64_t> calls{0};
  std::vector<std::unique_ptr<Instance>> instances;
  std::vector<Work> own, shared;
  for (int thread = 0; thread < kThreads; ++thread) {
    instances.push_back(subject.configured());
    own.push_back(prepare(*instances.back(), thread));
    if (thread_class == UNCHANNEL_THREADS_REENTRANT) shared.push_back(prepare(*instances.front(), thread));
  }
  const std::string by_instance = run_together(own, comparable, calls);
  check<CheckFailed>(by_instance.empty(), "{} threads, each with an instance of its own: {}", kThreads, by_instance);
  const std::string on_one = run_together(shared, comparable, calls);
  check<CheckFailed>(on_one.empty(), "{} threads on one instance (REENTRANT): {}", kThreads, on_one);
  detail["calls"] = calls.load();
}

}  // namespace unchannel::conformance
