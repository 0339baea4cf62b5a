#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <unchannel/plugin_host/thread_pool.hpp>

namespace unchannel {
namespace {

TEST(ThreadPool, CoversEveryIndexOnce) {
  ThreadPool pool(4);
  for (const std::int64_t count : {0, 1, 3, 7, 1000}) {
    for (const std::int64_t grain : {0, 1, 4, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      pool.run(count, grain, [&](std::int64_t begin, std::int64_t end, std::uint32_t worker) {
        EXPECT_LT(worker, 4u);
        EXPECT_LE(end - begin, std::max<std::int64_t>(1, grain));
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& visited : visits) EXPECT_EQ(visited, 1);
    }
  }
}

TEST(ThreadPool, NeverRunsOneWorkerTwiceAtATime) {
  ThreadPool pool(3);
  std::array<std::atomic<int>, 3> inside{};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 50; ++repeat) {
        pool.run(20, 1, [&](std::int64_t, std::int64_t, std::uint32_t worker) {
          EXPECT_EQ(inside[worker]++, 0);
          std::this_thread::yield();
          --inside[worker];
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(ThreadPool, RunsNestedLoopsOnTheCallingThread) {
  ThreadPool pool(4);
  std::atomic<int> total{0};
  pool.run(8, 1, [&](std::int64_t, std::int64_t, std::uint32_t outer) {
    const auto thread = std::this_thread::get_id();
    pool.run(10, 1, [&, outer](std::int64_t, std::int64_t, std::uint32_t inner) {
      EXPECT_EQ(std::this_thread::get_id(), thread);
      EXPECT_EQ(inner, outer);
      ++total;
    });
  });
  EXPECT_EQ(total, 80);
}

TEST(ThreadPool, KeepsToItsBudget) {
  ThreadPool pool(2);
  std::atomic<int> running{0}, most{0};
  pool.run(64, 1, [&](std::int64_t, std::int64_t, std::uint32_t) {
    const int now = ++running;
    int seen = most;
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    --running;
  });
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace unchannel
