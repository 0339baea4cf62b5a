// The UM-Bridge client against the real Python package `umbridge` on loopback. Oracle: the matrix formula of umbridge_package_server.py.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "umbridge_case.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::UmBridgeChannel;

std::string interpreter() {
  if (const char* chosen = std::getenv("UNCHANNEL_PYTHON")) {
    return chosen;
  }
  const std::string own = UNCHANNEL_SOURCE_DIR "/.deps/python/bin/python3";  // made by script/setup
  return std::filesystem::exists(own) ? own : "python3";
}

/// A port that nobody listens on right now.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), length);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(socket);
  return ntohs(address.sin_port);
}

pid_t start(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (auto& argument : arguments) {
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    ::posix_spawn_file_actions_addopen(&quiet, stream, "/dev/null", O_WRONLY, 0);
  }
  pid_t child = -1;
  if (::posix_spawnp(&child, pointers[0], &quiet, nullptr, pointers.data(), environ) != 0) {
    child = -1;
  }
  ::posix_spawn_file_actions_destroy(&quiet);
  return child;
}

bool package_is_there() {
  const pid_t child = start({interpreter(), "-c", "import umbridge"});
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

class PackageServer {
 public:
  PackageServer(const std::string& inputs, const std::string& outputs) : port_(std::to_string(free_port())) {
    child_ = start({interpreter(), UNCHANNEL_SOURCE_DIR "/tests/unit/plugins/umbridge_package_server.py", port_, inputs, outputs});
  }
  PackageServer(const PackageServer&) = delete;
  PackageServer& operator=(const PackageServer&) = delete;
  ~PackageServer() { kill(SIGTERM); }
  void kill(int signal) {
    if (child_ > 0) {
      ::kill(child_, signal);
      ::waitpid(child_, nullptr, 0);
      child_ = -1;
    }
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + port_; }

 private:
  std::string port_;
  pid_t child_ = -1;
};

/// A (transposed) times the rows of x, A[i][j] = scale / (1 + i + 2 j), in float64. The plugin rounds once, to float32: half a unit in the
/// last place, 6e-8 relative, of each result; the sums in Python round 2^-53 relative to all-positive terms. 1e-7 covers both.
void expect_product(const Array<float>& got, const Array<float>& x, int64_t rows, int64_t columns, double scale, bool transposed) {
  for (int64_t i = 0; i < x.shape()[0]; ++i) {
    for (int64_t to = 0; to < (transposed ? columns : rows); ++to) {
      double expected = 0;
      for (int64_t from = 0; from < (transposed ? rows : columns); ++from) {
        const int64_t r = transposed ? from : to, c = transposed ? to : from;
        expected += scale / static_cast<double>(1 + r + 2 * c) * static_cast<double>(x.row(i)[from]);
      }
      ASSERT_NEAR(static_cast<double>(got.row(i)[to]), expected, 1e-7 * expected) << "sample " << i << " element " << to;
    }
  }
}

Array<float> positive(int64_t count, int64_t width) {
  Array<float> x({count, width});
  for (int64_t i = 0; i < count * width; ++i) {
    x.values[static_cast<size_t>(i)] = 0.1F + static_cast<float>((7 * i) % 13);
  }
  return x;
}

class UmBridgePackage : public testing::Test {
 protected:
  void SetUp() override {
    if (!package_is_there()) {
      GTEST_SKIP() << "Python module umbridge is not installed";
    }
  }
};

TEST_F(UmBridgePackage, LinearModelItsGradientAndItsJacobianAreThoseOfTheFormula) {
  const PackageServer server("5,1,4", "3,4");
  UmBridgeChannel channel;
  // connect_timeout_s doubles as the wait for Python to start.
  ASSERT_EQ(channel.connect(server.url(),
                            {{"model", "linear"}, {"config", "{\"scale\": 2.5}"}, {"lift", "pad"}, {"connect_timeout_s", 60.0}}, {10}),
            UNCHANNEL_OK)
      << channel.error;
  EXPECT_EQ(channel.y_shape, (std::vector<int64_t>{7}));
  const auto x = positive(6, 10), cotangent = positive(6, 7);
  expect_product(channel.simulate(1, x, {}), x, 7, 10, 2.5, false);
  ASSERT_EQ(channel.status, UNCHANNEL_OK) << channel.error;
  expect_product(channel.vjp(x, cotangent, {}), cotangent, 7, 10, 2.5, true);
  Array<float> derivative({6, 7});
  ASSERT_EQ(channel.jvp(x, x, derivative), UNCHANNEL_OK) << channel.error;
  expect_product(derivative, x, 7, 10, 2.5, false);
}

TEST_F(UmBridgePackage, ErrorsNanAndWrongSizesOfTheModelCostTheirOwnSample) {
  const PackageServer server("4", "4");
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"model", "linear"}, {"connect_timeout_s", 60.0}}, {4}), UNCHANNEL_OK) << channel.error;
  auto x = positive(6, 4);
  x.row(1)[0] = 1001, x.row(2)[0] = 1002, x.row(4)[0] = 1003;
  channel.simulate(1, x, {});
  ASSERT_EQ(channel.status, UNCHANNEL_OK) << channel.error;
  constexpr int32_t kModelError = UNCHANNEL_SAMPLE_PLUGIN + 1;
  EXPECT_EQ(channel.sample_status, (std::vector<int32_t>{0, kModelError, UNCHANNEL_SAMPLE_NOT_FINITE, 0, kModelError, 0}));
  ASSERT_EQ(channel.logged.size(), 3U);
  EXPECT_NE(channel.logged[2].find("HTTP 500, InvalidOutput"), std::string::npos) << channel.logged[2];
}

TEST_F(UmBridgePackage, UnknownModelsAreRefusedWithTheListOfThoseThatExist) {
  const PackageServer server("4", "4");
  UmBridgeChannel channel;
  EXPECT_EQ(channel.connect(server.url(), {{"connect_timeout_s", 60.0}}, {4}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("It has: linear"), std::string::npos) << channel.error;
}

TEST_F(UmBridgePackage, AKilledServerIsRetryable) {
  PackageServer server("4", "4");
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"model", "linear"}, {"connect_timeout_s", 60.0}}, {4}), UNCHANNEL_OK) << channel.error;
  ASSERT_EQ(channel.connect(server.url(), {{"model", "linear"}}, {4}), UNCHANNEL_OK) << channel.error;
  server.kill(SIGKILL);
  channel.simulate(1, positive(3, 4), {});
  EXPECT_EQ(channel.status, UNCHANNEL_RETRYABLE);
  EXPECT_NE(channel.error.find("Start the model server"), std::string::npos) << channel.error;
}

}  // namespace
