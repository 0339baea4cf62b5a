#include "process_usage.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace unchannel::conformance {
namespace {

int entries(const char* folder) {
  std::error_code error;  // a system without /proc: nothing to compare
  const std::filesystem::directory_iterator list(folder, error);
  return error ? 0 : static_cast<int>(std::distance(begin(list), end(list)));
}

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); }

}  // namespace

ProcessUsage ProcessUsage::now() {
  ProcessUsage usage;
  usage.threads = entries("/proc/self/task");
  usage.open_files = entries("/proc/self/fd");
  rusage resources{};
  ::getrusage(RUSAGE_SELF, &resources);
  usage.cpu_s = seconds(resources.ru_utime) + seconds(resources.ru_stime);
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  usage.resident_bytes = resident * ::sysconf(_SC_PAGESIZE);
  const struct mallinfo2 heap = ::mallinfo2();
  usage.allocated_bytes = static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
  return usage;
}

}  // namespace unchannel::conformance
