#include "check_host.hpp"

#include <string_view>

namespace unchannel::conformance {

CheckHost::CheckHost(const std::filesystem::path& library, std::uint32_t threads)
    : inner_({.name = "check", .library = library, .pool = std::make_shared<ThreadPool>(threads)}) {
  face_.abi = inner_.abi();
  face_.abi.get_service = &CheckHost::get_service;
  face_.owner = this;
}

const void* CheckHost::get_service(const unchannel_host* host, const char* id) {
  static constexpr unchannel_host_should_stop_1 kShouldStop{&CheckHost::should_stop};
  const CheckHost& me = self(host);
  if (!me.services_ || id == nullptr) return nullptr;
  if (std::string_view(id) == UNCHANNEL_SERVICE_SHOULD_STOP_1) return &kShouldStop;
  return me.inner_.abi().get_service(host, id);
}

std::int32_t CheckHost::should_stop(const unchannel_host* host) {
  CheckHost& me = self(host);
  ++me.stop_questions_;
  return me.stop_ ? 1 : 0;
}

}  // namespace unchannel::conformance
