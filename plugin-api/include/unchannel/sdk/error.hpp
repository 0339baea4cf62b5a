// How a plugin written with the SDK reports errors: exceptions inside, status codes at the boundary.
#ifndef UNCHANNEL_SDK_ERROR_HPP
#define UNCHANNEL_SDK_ERROR_HPP

#include <unchannel/channel.h>

#include <charconv>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace unchannel::sdk {

/// The whole call fails with `status` (UNCHANNEL_RETRYABLE …); the text says place, rule, value and remedy.
class Failure : public std::runtime_error {
 public:
  Failure(int32_t status, const std::string& text) : std::runtime_error(text), status_(status) {}
  [[nodiscard]] int32_t status() const noexcept { return status_; }

 private:
  int32_t status_;
};

/// One sample fails; thrown inside Call::for_each it sets sample_status and zeroes that sample's outputs, and the others go on.
class SampleFailure : public std::exception {
 public:
  explicit SampleFailure(int32_t sample_status) noexcept : sample_status_(sample_status) {}
  [[nodiscard]] int32_t sample_status() const noexcept { return sample_status_; }
  [[nodiscard]] const char* what() const noexcept override { return "this sample failed"; }

 private:
  int32_t sample_status_;
};

namespace detail {
inline std::string piece(std::string_view text) { return std::string(text); }
/// Numbers in their shortest exact form, whatever the locale.
template <class Number>
requires std::is_arithmetic_v<Number> std::string piece(Number value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}
}  // namespace detail

/// join("snr_min = ", 3.5, " is above …")
template <class... Pieces>
std::string join(const Pieces&... pieces) {
  return (std::string() + ... + detail::piece(pieces));
}

template <class... Pieces>
Failure bad_argument(const Pieces&... pieces) {
  return Failure(UNCHANNEL_BAD_ARGUMENT, join(pieces...));
}
template <class... Pieces>
Failure retryable(const Pieces&... pieces) {
  return Failure(UNCHANNEL_RETRYABLE, join(pieces...));
}
template <class... Pieces>
Failure instance_broken(const Pieces&... pieces) {
  return Failure(UNCHANNEL_INSTANCE_BROKEN, join(pieces...));
}
template <class... Pieces>
Failure module_broken(const Pieces&... pieces) {
  return Failure(UNCHANNEL_MODULE_BROKEN, join(pieces...));
}

namespace detail {
/// Runs `body`; no exception leaves. What is not a Failure becomes `unexpected`.
template <class Body>
int32_t guarded(const unchannel_host* host, int32_t unexpected, Body&& body) noexcept {
  const auto report = [host](int32_t status, const char* text) {
    if (host != nullptr && host->set_error != nullptr) {
      host->set_error(host, text);
    }
    return status;
  };
  try {
    body();
    return UNCHANNEL_OK;
  } catch (const Failure& failure) {
    return report(failure.status(), failure.what());
  } catch (const std::bad_alloc&) {
    return report(UNCHANNEL_RETRYABLE, "out of memory");
  } catch (const std::exception& error) {
    return report(unexpected, error.what());
  } catch (...) {
    return report(unexpected, "an exception that is no std::exception");
  }
}
}  // namespace detail

}  // namespace unchannel::sdk

#endif
