// One socket of a Session and what is known about it. Included by session.cpp only: Boost.Beast takes half a minute to compile.
#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <chrono>

namespace umbridge {

using Clock = std::chrono::steady_clock;

inline Clock::duration seconds(double value) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value)); }

struct Connection {
  explicit Connection(boost::asio::io_context& context) : stream(context), pause(context) {}
  void close() {
    stream.close();
    buffer.clear();
    open = false;
  }
  boost::beast::tcp_stream stream;
  boost::asio::steady_timer pause;  // between attempts to connect
  boost::beast::flat_buffer buffer;
  bool open = false;
};

/// A peer that vanished without a word (power cut, cable) is noticed after about a minute, however long the deadline. Programs that the
/// host starts do not inherit the connection.
inline void set_up(boost::asio::ip::tcp::socket& socket) {
  boost::system::error_code ignored;  // worth having, not worth failing for
  socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(boost::asio::socket_base::keep_alive(true), ignored);
  const auto set = [&socket](int option, int value) { ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value); };
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
  set(TCP_KEEPIDLE, 30), set(TCP_KEEPINTVL, 10), set(TCP_KEEPCNT, 3);
}

/// The peer talks, but not HTTP; a connection that ended is no such error.
inline bool is_no_http(const boost::system::error_code& code) {
  using boost::beast::http::error;
  static const auto& kHttp = boost::beast::http::make_error_code(error::bad_version).category();
  return code.category() == kHttp && code != error::end_of_stream && code != error::partial_message;
}

}  // namespace umbridge
