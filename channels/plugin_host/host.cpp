#include "host.hpp"

#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>

namespace unchannel {
namespace {

thread_local std::string plugin_error;

Host& self(const unchannel_host* host) { return *static_cast<Host*>(host->context); }

std::string error_or(const char* text) { return text ? text : ""; }

}  // namespace

/// The C tables. Exceptions stop here: none may cross the interface, and the only ones possible are memory and sinks of our own.
struct Host::Services {
  static void set_error(const unchannel_host*, const char* text) noexcept { plugin_error = error_or(text); }

  static void log(const unchannel_host* host, std::int32_t level, const char* text) noexcept {
    const HostSettings& settings = self(host).settings_;
    if (settings.log && text) settings.log(level, settings.name, text);
  }

  static void* allocate(const unchannel_host* host, unchannel_device device, std::uint64_t bytes, std::uint64_t alignment) noexcept {
    if (device.type != UNCHANNEL_DEVICE_CPU || !std::has_single_bit(alignment) || alignment > 4096) return nullptr;
    // The size is kept in front of the block, at a distance that preserves the alignment.
    const std::uint64_t offset = std::max<std::uint64_t>(alignment, 16);
    if (bytes > static_cast<std::uint64_t>(PTRDIFF_MAX) - 2 * offset) return nullptr;
    auto* base = static_cast<char*>(std::aligned_alloc(offset, (bytes + 2 * offset - 1) / offset * offset));
    if (!base) return nullptr;
    char* block = base + offset;
    const std::array<std::uint64_t, 2> header{bytes, offset};
    std::memcpy(block - sizeof header, header.data(), sizeof header);
    self(host).scratch_bytes_ += static_cast<std::int64_t>(bytes);
    return block;
  }

  static void release(const unchannel_host* host, unchannel_device, void* memory) noexcept {
    if (!memory) return;
    std::array<std::uint64_t, 2> header{};
    std::memcpy(header.data(), static_cast<char*>(memory) - sizeof header, sizeof header);
    self(host).scratch_bytes_ -= static_cast<std::int64_t>(header[0]);
    std::free(static_cast<char*>(memory) - header[1]);
  }

  static std::int32_t should_stop(const unchannel_host*) noexcept { return cancellation_requested() ? 1 : 0; }

  static void report(const unchannel_host* host, double fraction, const char* what) noexcept {
    const HostSettings& settings = self(host).settings_;
    if (settings.progress) settings.progress(fraction, what ? what : "");
  }

  static std::uint32_t thread_count(const unchannel_host* host) noexcept { return self(host).settings_.pool->threads(); }

  static std::int32_t run(const unchannel_host* host, std::int64_t count, std::int64_t grain,
                          void (*task)(void*, std::int64_t, std::int64_t, std::uint32_t), void* user) noexcept {
    self(host).settings_.pool->run(count, grain,
                                   [&](std::int64_t begin, std::int64_t end, std::uint32_t worker) { task(user, begin, end, worker); });
    return UNCHANNEL_OK;
  }

  static const char* data_dir(const unchannel_host* host) noexcept { return self(host).data_dir(); }
  static const char* cache_dir(const unchannel_host* host) noexcept { return self(host).cache_dir(); }

  static const void* get_service(const unchannel_host* host, const char* id) noexcept {
    static constexpr unchannel_host_log_1 kLog{&log};
    static constexpr unchannel_host_scratch_1 kScratch{&allocate, &release};
    static constexpr unchannel_host_should_stop_1 kShouldStop{&should_stop};
    static constexpr unchannel_host_progress_1 kProgress{&report};
    static constexpr unchannel_host_thread_pool_1 kThreadPool{&thread_count, &run};
    static constexpr unchannel_host_data_dir_1 kDataDir{&Services::data_dir, &Services::cache_dir};
    const std::string_view wanted = id ? id : "";
    if (wanted == UNCHANNEL_SERVICE_LOG_1) return &kLog;
    if (wanted == UNCHANNEL_SERVICE_SCRATCH_1) return &kScratch;
    if (wanted == UNCHANNEL_SERVICE_SHOULD_STOP_1) return &kShouldStop;
    if (wanted == UNCHANNEL_SERVICE_PROGRESS_1) return &kProgress;
    if (wanted == UNCHANNEL_SERVICE_THREAD_POOL_1 && self(host).settings_.pool) return &kThreadPool;
    if (wanted == UNCHANNEL_SERVICE_DATA_DIR_1) return &kDataDir;
    return nullptr;
  }
};

Host::Host(HostSettings settings) : settings_(std::move(settings)) {
  abi_.abi_major = UNCHANNEL_ABI_MAJOR;
  abi_.abi_minor = UNCHANNEL_ABI_MINOR;
  abi_.name = "unchannel";
  abi_.version = UNCHANNEL_VERSION;
  abi_.set_error = &Services::set_error;
  abi_.get_service = &Services::get_service;
  abi_.context = this;
}

/// FILE.so has its data in a folder FILE beside it.
const char* Host::data_dir() {
  std::call_once(data_dir_once_, [this] {
    std::filesystem::path folder = settings_.library;
    folder.replace_extension();
    std::error_code error;
    if (!settings_.library.empty() && std::filesystem::is_directory(folder, error)) data_dir_ = folder.string();
  });
  return data_dir_.empty() ? nullptr : data_dir_.c_str();
}

const char* Host::cache_dir() {
  std::call_once(cache_dir_once_, [this] {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    if ((!cache || !*cache) && (!home || !*home)) return;
    const std::filesystem::path root = cache && *cache ? std::filesystem::path(cache) : std::filesystem::path(home) / ".cache";
    const std::filesystem::path folder = root / "unchannel" / settings_.library.stem();
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!error) cache_dir_ = folder.string();
  });
  return cache_dir_.empty() ? nullptr : cache_dir_.c_str();
}

std::string take_plugin_error() { return std::exchange(plugin_error, {}); }

std::string status_name(std::int32_t status) {
  static constexpr std::array kNames = {"OK", "RETRYABLE", "BAD_ARGUMENT", "CANCELLED", "INSTANCE_BROKEN", "MODULE_BROKEN"};
  return status >= 0 && status < static_cast<std::int32_t>(kNames.size()) ? kNames[status] : fmt::format("status {}", status);
}

void check_status(std::int32_t status, const std::string& what) {
  const std::string text = take_plugin_error();
  if (status == UNCHANNEL_OK) return;
  throw PluginError(fmt::format("{} failed with {}: {}", what, status_name(status), text.empty() ? "the plugin gives no reason." : text));
}

}  // namespace unchannel
