#include "thread_pool.hpp"

#include <algorithm>

#include "process_state.hpp"

namespace unchannel {
namespace {

constexpr std::uint32_t kOutside = ~0u;
thread_local std::uint32_t current_worker = kOutside;  // of whichever pool this thread is working for

void run_here(std::int64_t count, std::int64_t grain, std::uint32_t worker, const ThreadPool::Task& task) {
  for (std::int64_t begin = 0; begin < count; begin += grain) task(begin, std::min(count, begin + grain), worker);
}

}  // namespace

ThreadPool::ThreadPool(std::uint32_t threads) : threads_(threads ? threads : std::max(1u, std::thread::hardware_concurrency())) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::int64_t count, std::int64_t grain, const Task& task) {
  grain = std::max<std::int64_t>(1, grain);
  if (current_worker != kOutside) return run_here(count, grain, current_worker, task);
  const std::lock_guard one_loop(one_loop_);
  if (threads_ == 1 || count <= grain) {
    current_worker = 0;
    run_here(count, grain, 0, task);
    current_worker = kOutside;
    return;
  }
  start_threads();
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    next_ = 0;
    count_ = count;
    grain_ = grain;
    busy_ = threads_ - 1;
    ++generation_;
  }
  wake_.notify_all();
  work(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

void ThreadPool::start_threads() {
  while (workers_.size() + 1 < threads_) {
    const auto worker = static_cast<std::uint32_t>(workers_.size() + 1);
    workers_.emplace_back([this, worker] { worker_loop(worker); });
  }
}

void ThreadPool::worker_loop(std::uint32_t worker) {
  const std::uint64_t clean_float_control = float_control();
  std::uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
    }
    work(worker);
    set_float_control(clean_float_control);  // one plugin's mode must not reach the next
    {
      const std::lock_guard lock(mutex_);
      --busy_;
    }
    done_.notify_one();
  }
}

void ThreadPool::work(std::uint32_t worker) {
  current_worker = worker;
  for (;;) {
    std::int64_t begin = 0, end = 0;
    {
      const std::lock_guard lock(mutex_);
      begin = next_;
      end = next_ = std::min(count_, next_ + grain_);
    }
    if (begin >= end) break;
    (*task_)(begin, end, worker);
  }
  current_worker = kOutside;
}

}  // namespace unchannel
