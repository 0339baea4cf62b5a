#include "session.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <unchannel/sdk/call.hpp>
#include <unchannel/sdk/error.hpp>

#include "connection.hpp"
#include "protocol.hpp"

namespace umbridge {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace sdk = unchannel::sdk;
using asio::ip::tcp;
using boost::system::error_code;
using HttpRequest = http::request<http::string_body>;

constexpr auto kTick = std::chrono::milliseconds(50);        // between questions to should_stop
constexpr auto kRetryPause = std::chrono::milliseconds(50);  // between attempts to connect
constexpr int kAttempts = 3;                                 // a request whose connection breaks
constexpr int kStalledAfter = 3;                             // time-outs in a row
constexpr int kLogged = 10;                                  // refusals; more would drown the log
constexpr uint32_t kMaxHeaderBytes = 16384;

struct Abandoned {};  // ends a coroutine when another one has failed or the host wants to stop

enum class Outcome { kAnswered, kTimedOut, kBroken };

struct Answer {
  unsigned status = 0;
  std::string body;
};

}  // namespace

class Session::Impl {
 public:
  Impl(const Url& url, const Limits& limits, const unchannel_host* host) : url_(url), limits_(limits), host_(host) {
    error_code error;
    tcp::resolver resolver(context_);
    endpoints_ = resolver.resolve(url.host, url.port, error);
    if (error) {
      throw sdk::bad_argument("url = \"", url.text(), "\": the host name cannot be looked up (", error.message(),
                              "); check its spelling and the network.");
    }
    for (int64_t i = 0; i < limits.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(context_));
    }
  }

  std::string fetch(const char* function, const std::string& body) {
    std::string answer;
    function_ = function;
    spawn(fetch_one(body, answer));
    try {
      drive();
    } catch (const Refusal& refusal) {
      throw sdk::bad_argument(place(), refusal.what());
    }
    return answer;
  }

  std::vector<int32_t> run(const Work& work) {
    std::vector<int32_t> statuses(static_cast<size_t>(work.count), UNCHANNEL_SAMPLE_OK);
    int64_t next = 0;
    function_ = work.function;
    for (int64_t i = 0; i < std::min<int64_t>(work.count, limits_.connections); ++i) {
      spawn(serve(*connections_[static_cast<size_t>(i)], work, next, statuses));
    }
    drive();
    return statuses;
  }

 private:
  [[nodiscard]] std::string place() const { return url_.text() + function_ + ": "; }

  // ---- the loop ----

  void spawn(asio::awaitable<void> coroutine) {
    asio::co_spawn(context_, std::move(coroutine), [this](const std::exception_ptr& failure) {
      if (failure && !failure_) {
        failure_ = failure;
        abandon();
      }
    });
  }

  /// Runs what was spawned to its end; throws what the first coroutine to fail has thrown.
  void drive() {
    failure_ = nullptr;
    abandoned_ = false;
    bool cancelled = false;
    const auto* stop = sdk::detail::service<unchannel_host_should_stop_1>(host_, UNCHANNEL_SERVICE_SHOULD_STOP_1);
    for (context_.restart(); !context_.stopped(); context_.run_for(kTick)) {
      if (!abandoned_ && stop != nullptr && stop->should_stop(host_) != 0) {
        cancelled = true;
        abandon();
      }
    }
    if (cancelled) {
      throw sdk::Failure(UNCHANNEL_CANCELLED, "stopped as the host asked");
    }
    if (!failure_) {
      return;
    }
    try {
      std::rethrow_exception(failure_);
    } catch (const sdk::Failure& failure) {
      throw sdk::Failure(failure.status(), place() + failure.what());
    }
  }

  void abandon() {
    abandoned_ = true;
    for (const auto& connection : connections_) {
      connection->close();
      connection->pause.cancel();
    }
  }
  void check_abandoned() const {
    if (abandoned_) {
      throw Abandoned{};
    }
  }

  // ---- one connection ----

  asio::awaitable<void> connect(Connection& c) {
    const auto deadline = Clock::now() + seconds(limits_.connect_timeout_s);
    for (;;) {
      check_abandoned();
      error_code error;
      c.close();
      c.stream.expires_at(deadline);
      co_await c.stream.async_connect(endpoints_, asio::redirect_error(asio::use_awaitable, error));
      check_abandoned();
      if (!error) {
        break;
      }
      if (Clock::now() + kRetryPause >= deadline) {
        const std::string reason = error == beast::error::timeout ? "no answer" : error.message();
        throw sdk::retryable("no connection within connect_timeout_s = ", limits_.connect_timeout_s, " (", reason,
                             "). Start the model server, or correct url.");
      }
      c.pause.expires_after(kRetryPause);
      error_code ignored;
      co_await c.pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    set_up(c.stream.socket());
    c.open = true;
  }

  asio::awaitable<Outcome> exchange(Connection& c, const HttpRequest& request, double timeout_s, Answer& answer) {
    if (!c.open) {
      co_await connect(c);
    }
    http::response_parser<http::string_body> parser;
    parser.body_limit(limits_.max_response_bytes);
    parser.header_limit(kMaxHeaderBytes);
    error_code error;
    c.stream.expires_after(seconds(timeout_s));
    co_await http::async_write(c.stream, request, asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      co_await http::async_read(c.stream, c.buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    }
    check_abandoned();
    if (!error) {
      c.stream.expires_never();
      answer.status = parser.get().result_int();
      answer.body = std::move(parser.get().body());
      if (!parser.get().keep_alive() || c.buffer.size() > 0) {  // bytes after the answer would be taken for the next one
        c.close();
      }
      co_return Outcome::kAnswered;
    }
    c.close();
    if (error == http::error::body_limit) {
      throw Refusal(kSampleBadAnswer, sdk::join("the answer is longer than max_response_bytes = ", limits_.max_response_bytes,
                                                "; raise it if the model really is that large."));
    }
    if (is_no_http(error)) {
      throw Refusal(kSampleBadAnswer, "the answer is no HTTP (" + error.message() + "); check host and port of url.");
    }
    co_return error == beast::error::timeout ? Outcome::kTimedOut : Outcome::kBroken;
  }

  // ---- one request ----

  [[nodiscard]] HttpRequest request(const char* function, std::string body) const {
    HttpRequest request(body.empty() ? http::verb::get : http::verb::post, url_.path + function, 11);
    request.set(http::field::host, url_.host_header());
    request.set(http::field::user_agent, "unchannel-umbridge/1.0");
    request.set(http::field::accept, "application/json");
    if (!body.empty()) {
      request.set(http::field::content_type, "application/json");
    }
    request.body() = std::move(body);
    request.prepare_payload();
    return request;
  }

  /// The body of an answer with HTTP status 200.
  asio::awaitable<std::string> ask(Connection& c, std::string body) {
    const HttpRequest message = request(function_, std::move(body));
    Answer answer;
    Outcome outcome = Outcome::kBroken;
    for (int attempt = 1; attempt <= kAttempts && outcome == Outcome::kBroken; ++attempt) {
      outcome = co_await exchange(c, message, limits_.call_timeout_s, answer);
    }
    if (outcome == Outcome::kAnswered) {
      timed_out_in_a_row_ = 0;
      if (answer.status != 200) {
        refuse_http_status(answer.status, answer.body);
      }
      co_return std::move(answer.body);
    }
    const bool late = outcome == Outcome::kTimedOut;
    const std::string what = late ? sdk::join("no answer within call_timeout_s = ", limits_.call_timeout_s, " s")
                                  : sdk::join("the server closed the connection without an answer, ", kAttempts, " times");
    if (late && ++timed_out_in_a_row_ >= kStalledAfter) {
      timed_out_in_a_row_ = 0;
      throw sdk::retryable(what, ", ", kStalledAfter,
                           " times in a row: the model is stuck or too slow. Start the server again, or raise call_timeout_s.");
    }
    const HttpRequest alive = request("/Info", {});
    Answer info;
    const Outcome answered = co_await exchange(c, alive, limits_.connect_timeout_s, info);
    if (answered != Outcome::kAnswered) {
      throw sdk::retryable(what, ", and the server does not answer /Info either. Start it again; its log may say why it stopped.");
    }
    throw Refusal(kSampleTimedOut, what + ", though the server is alive.");
  }

  asio::awaitable<void> fetch_one(std::string body, std::string& answer) { answer = co_await ask(*connections_.front(), std::move(body)); }

  asio::awaitable<void> serve(Connection& c, const Work& work, int64_t& next, std::vector<int32_t>& statuses) {
    while (next < work.count) {
      check_abandoned();
      const int64_t sample = next++;
      try {
        for (int64_t r = 0; r < work.requests_per_sample; ++r) {
          const std::string answer = co_await ask(c, work.body(sample, r));
          work.accept(sample, r, answer);
        }
      } catch (const Refusal& refusal) {
        statuses[static_cast<size_t>(sample)] = refusal.sample_status();
        log(sample, refusal);
      }
    }
  }

  void log(int64_t sample, const Refusal& refusal) {
    const auto* service = sdk::detail::service<unchannel_host_log_1>(host_, UNCHANNEL_SERVICE_LOG_1);
    if (service == nullptr || logged_ >= kLogged) {
      return;
    }
    const std::string text = sdk::join(place(), "sample ", sample, " of the batch failed: ", refusal.what(),
                                       ++logged_ == kLogged ? " Further failures are not logged." : "");
    service->log(host_, UNCHANNEL_LOG_WARNING, text.c_str());
  }

  const Url url_;
  const Limits limits_;
  const unchannel_host* host_;
  asio::io_context context_{1};
  tcp::resolver::results_type endpoints_;
  std::vector<std::unique_ptr<Connection>> connections_;
  const char* function_ = "";
  std::exception_ptr failure_;
  bool abandoned_ = false;
  int timed_out_in_a_row_ = 0;
  int logged_ = 0;
};

Session::Session(const Url& url, const Limits& limits, const unchannel_host* host) : impl_(std::make_unique<Impl>(url, limits, host)) {}
Session::~Session() = default;
std::string Session::fetch(const char* function, const std::string& body) { return impl_->fetch(function, body); }
std::vector<int32_t> Session::run(const Work& work) { return impl_->run(work); }

}  // namespace umbridge
