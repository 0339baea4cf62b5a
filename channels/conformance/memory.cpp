#include "memory.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unchannel/base/error.hpp>

namespace unchannel::conformance {
namespace {

constexpr std::size_t kSpareBytes = 4096;

char* aligned(std::byte* block, std::size_t alignment) {
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  return reinterpret_cast<char*>((address + alignment - 1) / alignment * alignment);
}

}  // namespace

void* HeapMemory::input(const std::string& name, const void* from, std::size_t bytes) {
  void* to = output(name, bytes, 0, 64);
  if (bytes > 0) std::memcpy(to, from, bytes);
  return to;
}

void* HeapMemory::output(const std::string&, std::size_t bytes, unsigned char fill, std::size_t alignment) {
  blocks_.push_back(std::make_unique<std::byte[]>(bytes + 2 * kSpareBytes));
  char* start = aligned(blocks_.back().get() + kSpareBytes / 2, alignment);
  std::memset(start, fill, bytes);
  return start;
}

/// One mapping: a forbidden page, the pages of the buffer, a forbidden page.
struct GuardedRegion {
  std::string name;
  char* base = nullptr;
  std::size_t mapped = 0, page = 0;
  char* data = nullptr;
  std::size_t bytes = 0;
  bool writable = false, locked = false;

  std::string violation(const char* address) const {
    if (locked) return fmt::format("uses {} after the call that it was lent for", name);
    if (address >= data + bytes) return fmt::format("touches {}, {} bytes behind its end", name, address - (data + bytes));
    if (address < data) return fmt::format("touches {}, {} bytes in front of its beginning", name, data - address);
    return writable ? fmt::format("touches {}", name) : fmt::format("writes to {}, which it may only read", name);
  }
};

namespace {

std::mutex registry_mutex;
std::vector<const GuardedRegion*> registered;  // read by the handler of a process that is about to end
void (*guard_report)(const std::string&) = nullptr;

/// Not async-signal-safe, and need not be: the fault is synchronous, in the plugin's code, and the process ends here.
void handle_fault(int signal, siginfo_t* info, void*) {
  const auto* address = static_cast<const char*>(info->si_addr);
  for (const GuardedRegion* region : registered) {
    if (address < region->base || address >= region->base + region->mapped) continue;
    guard_report(region->violation(address));
    ::_exit(0);
  }
  ::signal(signal, SIG_DFL);  // not ours: an ordinary crash, which the parent reports
  ::raise(signal);
}

}  // namespace

GuardedMemory::GuardedMemory(GuardSide side) : side_(side) {}

GuardedMemory::~GuardedMemory() {
  const std::lock_guard lock(registry_mutex);
  for (const auto& region : regions_) {
    registered.erase(std::find(registered.begin(), registered.end(), region.get()));
    ::munmap(region->base, region->mapped);
  }
}

char* GuardedMemory::place(const std::string& name, std::size_t bytes, std::size_t alignment, bool writable) {
  auto region = std::make_unique<GuardedRegion>();
  region->page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t inner = std::max<std::size_t>(1, (bytes + region->page - 1) / region->page) * region->page;
  region->mapped = inner + 2 * region->page;
  void* base = ::mmap(nullptr, region->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check<Error>(base != MAP_FAILED, "no memory for a guarded buffer of {} bytes.", bytes);
  region->name = name;
  region->base = static_cast<char*>(base);
  region->bytes = bytes;
  region->writable = writable;
  char* first = region->base + region->page;
  ::mprotect(first, inner, PROT_READ | PROT_WRITE);
  // Aligned to the elements, so a buffer whose size is no multiple of the alignment (only the workspace) ends a few bytes early.
  region->data = side_ == GuardSide::before ? first : first + (inner - bytes) / alignment * alignment;
  const std::lock_guard lock(registry_mutex);
  registered.push_back(region.get());
  regions_.push_back(std::move(region));
  return regions_.back()->data;
}

void* GuardedMemory::input(const std::string& name, const void* from, std::size_t bytes) {
  char* to = place(name, bytes, 1, false);
  if (bytes > 0) std::memcpy(to, from, bytes);
  return to;
}

void* GuardedMemory::output(const std::string& name, std::size_t bytes, unsigned char fill, std::size_t alignment) {
  char* to = place(name, bytes, alignment, true);
  std::memset(to, fill, bytes);
  return to;
}

void GuardedMemory::seal() {
  for (const auto& region : regions_) {
    if (!region->writable) ::mprotect(region->base + region->page, region->mapped - 2 * region->page, PROT_READ);
  }
}

void GuardedMemory::lock() {
  for (const auto& region : regions_) {
    region->locked = true;
    ::mprotect(region->base, region->mapped, PROT_NONE);
  }
}

void watch_guards(void (*report)(const std::string& text)) {
  guard_report = report;
  struct sigaction action {};
  action.sa_sigaction = &handle_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigaction(SIGSEGV, &action, nullptr);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace unchannel::conformance
