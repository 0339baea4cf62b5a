#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace unchannel {

/// A fixed number of threads, the caller included, that share loops over ranges. Threads start at the first loop that needs them.
class ThreadPool {
 public:
  /// task(begin, end, worker); must not throw.
  using Task = std::function<void(std::int64_t begin, std::int64_t end, std::uint32_t worker)>;

  /// `threads`: the budget; 0 means one for each hardware thread.
  explicit ThreadPool(std::uint32_t threads = 0);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  std::uint32_t threads() const noexcept { return threads_; }

  /// Calls `task` on disjoint ranges of at most `grain` that cover 0 … count − 1, and returns when all are done. A loop started inside
  /// a task runs on that task's thread, under its worker number; loops from several threads wait for each other. Which thread gets which
  /// range is not determined: results must not depend on it.
  void run(std::int64_t count, std::int64_t grain, const Task& task);

 private:
  void start_threads();
  void worker_loop(std::uint32_t worker);
  void work(std::uint32_t worker);

  std::uint32_t threads_;
  std::vector<std::thread> workers_;
  std::mutex one_loop_;  // held by the thread whose loop is running

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::uint64_t generation_ = 0;
  std::uint32_t busy_ = 0;
  bool stopping_ = false;
  const Task* task_ = nullptr;
  std::int64_t next_ = 0, count_ = 0, grain_ = 1;
};

}  // namespace unchannel
