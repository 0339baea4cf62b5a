#pragma once
// A UM-Bridge server for tests, made of plain sockets so that it can misbehave in every way: any function of the protocol can be given a
// handler that returns raw bytes, waits or hangs up. Its model is F(x) = A x with input sizes [2, 1] and output sizes [1, 2].

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace unchannel::test {

using nlohmann::json;

inline std::string http(const std::string& body, const std::string& status = "200 OK", const std::string& more_headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body;
}

class ModelServer {
 public:
  static constexpr std::array<std::array<double, 3>, 3> kMatrix{{{1, 2, 3}, {-0.5, 0.25, 4}, {0, -8, 0.125}}};

  /// Raw bytes of an answer; nothing: hang up. Gets the number of this request among those to the same function.
  using Handler = std::function<std::optional<std::string>(const json& request, int number)>;

  ModelServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      throw std::runtime_error("no port to listen on");
    }
    port_ = ntohs(address.sin_port);
    on("/Info", [](const json&, int) { return http(R"({"protocolVersion": 1.0, "models": ["other", "forward"]})"); });
    on("/ModelInfo", [](const json&, int) { return http(R"({"support": {"Evaluate": true, "Gradient": true, "ApplyJacobian": true}})"); });
    on("/InputSizes", [](const json&, int) { return http(R"({"inputSizes": [2, 1]})"); });
    on("/OutputSizes", [](const json&, int) { return http(R"({"outputSizes": [1, 2]})"); });
    on("/Evaluate", [](const json& request, int) { return http(evaluate(request)); });
    on("/Gradient", [](const json& request, int) { return http(derivative(request, true)); });
    on("/ApplyJacobian", [](const json& request, int) { return http(derivative(request, false)); });
    threads_.emplace_back([this] { listen(); });
  }
  ModelServer(const ModelServer&) = delete;
  ModelServer& operator=(const ModelServer&) = delete;
  ~ModelServer() { stop(); }

  void on(const std::string& function, Handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[function] = std::move(handler);
  }
  /// For handlers: waits until the server ends (then returns nothing) or, if given, that long.
  std::optional<std::string> hang(std::chrono::milliseconds time = std::chrono::hours(1)) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, time, [this] { return stopping_; });
    return std::nullopt;
  }
  /// Ends all connections and listens no more; handlers may call it.
  void die() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;  // from here on no thread and no socket that is read is added
      ::shutdown(listener_, SHUT_RDWR);
      for (const int socket : sockets_) {
        ::shutdown(socket, SHUT_RDWR);
      }
    }
    wake_.notify_all();
  }
  void stop() {
    die();
    for (auto& thread : threads_) {
      thread.join();
    }
    threads_.clear();
    for (const int socket : std::exchange(sockets_, {})) {
      ::close(socket);
    }
    if (listener_ >= 0) {
      ::close(std::exchange(listener_, -1));
    }
  }

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int most_at_once() const { return most_at_once_; }
  int requests(const std::string& function) {
    const std::lock_guard lock(mutex_);
    return counts_[function];
  }

  static std::string evaluate(const json& request) {
    const json& in = request["input"];
    const std::array<double, 3> x{in[0][0], in[0][1], in[1][0]};
    std::array<double, 3> y{};
    for (size_t r = 0; r < 3; ++r) {
      y[r] = kMatrix[r][0] * x[0] + kMatrix[r][1] * x[1] + kMatrix[r][2] * x[2];
    }
    return json{{"output", {{y[0]}, {y[1], y[2]}}}}.dump();
  }
  /// The block of A that belongs to outWrt and inWrt, transposed or not, times "sens" or "vec".
  static std::string derivative(const json& request, bool transposed) {
    static constexpr size_t kOut[] = {0, 1, 3}, kIn[] = {0, 2, 3};
    const size_t o = request["outWrt"], k = request["inWrt"];
    const json& v = request[transposed ? "sens" : "vec"];
    std::vector<double> result(transposed ? kIn[k + 1] - kIn[k] : kOut[o + 1] - kOut[o], 0.0);
    for (size_t r = kOut[o]; r < kOut[o + 1]; ++r) {
      for (size_t c = kIn[k]; c < kIn[k + 1]; ++c) {
        const size_t to = transposed ? c - kIn[k] : r - kOut[o], from = transposed ? r - kOut[o] : c - kIn[k];
        result.at(to) += kMatrix[r][c] * v.at(from).get<double>();
      }
    }
    return json{{"output", result}}.dump();
  }

 private:
  void listen() {
    for (;;) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0) {
        return;
      }
      const std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
      ++connections_;
      if (stopping_) {
        return;
      }
      threads_.emplace_back([this, socket] { serve(socket); });
    }
  }

  void serve(int socket) {
    std::string input;
    std::array<char, 65536> block{};
    for (;;) {
      size_t head = 0, length = 0;
      while ((head = input.find("\r\n\r\n")) == std::string::npos || input.size() < head + 4 + (length = content_length(input, head))) {
        const ssize_t got = ::recv(socket, block.data(), block.size(), 0);
        if (got <= 0) {
          ::shutdown(socket, SHUT_RDWR);
          return;
        }
        input.append(block.data(), static_cast<size_t>(got));
      }
      const size_t target = input.find(' ') + 1;
      const auto answer = handle(input.substr(target, input.find(' ', target) - target), input.substr(head + 4, length));
      input.erase(0, head + 4 + length);
      if (!answer || ::send(socket, answer->data(), answer->size(), MSG_NOSIGNAL) < 0) {
        ::shutdown(socket, SHUT_RDWR);
        return;
      }
    }
  }

  std::optional<std::string> handle(const std::string& function, const std::string& body) {
    Handler handler;
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = counts_[function]++;
      if (const auto found = handlers_.find(function); found != handlers_.end()) {
        handler = found->second;
      }
      most_at_once_ = std::max(most_at_once_.load(), ++at_once_);
    }
    auto answer = handler ? handler(json::parse(body, nullptr, false), number) : http("nothing here", "404 Not Found");
    --at_once_;
    return answer;
  }

  static size_t content_length(const std::string& input, size_t head) {
    const size_t at = input.find("Content-Length: ");
    return at < head ? std::stoul(input.substr(at + 16)) : 0;
  }

  int listener_ = -1;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<std::string, Handler> handlers_;
  std::map<std::string, int> counts_;
  std::vector<int> sockets_;
  std::atomic<int> connections_{0}, at_once_{0}, most_at_once_{0};
  std::vector<std::thread> threads_;
};

}  // namespace unchannel::test
