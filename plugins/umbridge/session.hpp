#pragma once

#include <unchannel/channel.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "url.hpp"

namespace umbridge {

struct Limits {
  double connect_timeout_s = 5;
  double call_timeout_s = 60;
  uint64_t max_response_bytes = 0;
  int64_t connections = 1;
};

/// What a batch call wants from the server: requests 0 … requests_per_sample - 1 of one sample in this order, samples in any order.
/// Both functions may throw Refusal, which costs the sample and leaves out the rest of its requests.
struct Work {
  const char* function;  ///< "/Evaluate"
  int64_t count;
  int64_t requests_per_sample;
  std::function<std::string(int64_t sample, int64_t request)> body;
  std::function<void(int64_t sample, int64_t request, std::string_view answer)> accept;
};

/// Keep-alive connections to one server. All of them are served by the calling thread, so none is started, and any number may wait at once.
/// Not thread-safe. The host's should_stop is asked every 50 ms.
///
/// What goes wrong, and what becomes of it:
///   no connection within connect_timeout_s; overload (HTTP 503 and the like)            Failure(RETRYABLE)
///   the connection breaks under way                                                     the request is sent again, twice at most
///   deadline passed or broken three times, and /Info answers: the server lives          Refusal(SampleTimedOut)
///     … and /Info does not answer, or the third request in a row timed out              Failure(RETRYABLE)
///   too long, no HTTP, an HTTP error                                                    Refusal; see also refuse_http_status
class Session {
 public:
  /// Looks up the host name (no connection yet). Throws Failure.
  Session(const Url& url, const Limits& limits, const unchannel_host* host);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// The answer to one request; an empty body means GET. A Refusal becomes Failure(BAD_ARGUMENT).
  std::string fetch(const char* function, const std::string& body);

  /// One sample status for each sample. Throws Failure where the whole call has failed. The first refusals are logged.
  std::vector<int32_t> run(const Work& work);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace umbridge
