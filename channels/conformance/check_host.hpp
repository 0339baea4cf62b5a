#pragma once

#include <unchannel/channel.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <unchannel/plugin_host/host.hpp>

namespace unchannel::conformance {

/// The host that a plugin under examination talks to: the real services, which can be taken away or made to say "stop".
class CheckHost {
 public:
  explicit CheckHost(const std::filesystem::path& library, std::uint32_t threads = 1);
  CheckHost(const CheckHost&) = delete;
  CheckHost& operator=(const CheckHost&) = delete;

  const unchannel_host& abi() const noexcept { return face_.abi; }
  void offer_services(bool yes) noexcept { services_ = yes; }
  void ask_to_stop(bool yes) noexcept { stop_ = yes; }
  /// Times that should_stop was asked for its opinion.
  std::int64_t stop_questions() const noexcept { return stop_questions_; }

 private:
  /// A plugin sees `abi`; its address is that of the whole, so the callbacks find their way back. `context` belongs to the inner host.
  struct Face {
    unchannel_host abi;
    CheckHost* owner;
  };
  static CheckHost& self(const unchannel_host* host) { return *reinterpret_cast<const Face*>(host)->owner; }
  static const void* get_service(const unchannel_host* host, const char* id);
  static std::int32_t should_stop(const unchannel_host* host);

  Host inner_;
  Face face_{};
  std::atomic<bool> services_{true}, stop_{false};
  std::atomic<std::int64_t> stop_questions_{0};
};

}  // namespace unchannel::conformance
