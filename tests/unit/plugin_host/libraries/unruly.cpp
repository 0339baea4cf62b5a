// Channels y = 2 x + 0.1 n that harm their process on request: once, when a trigger file exists (it is removed first, so a repeated call
// goes well), or always, when a batch holds a poisonous id.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unchannel/channel.hpp>

#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

namespace sdk = unchannel::sdk;

void harm(const std::string& how) {
  if (how == "crash") {
    std::raise(SIGSEGV);
  }
  if (how == "exit") {
    std::exit(0);
  }
  if (how == "rounding") {
    std::fesetround(FE_UPWARD);
  }
  if (how == "locale") {
    std::setlocale(LC_ALL, "C.UTF-8");
  }
  if (how == "folder" && ::chdir("/") != 0) {
    std::abort();
  }
  if (how == "signal") {
    std::signal(SIGUSR2, SIG_IGN);
  }
  while (how == "hang") {
    ::pause();
  }
  while (how == "memory") {  // does not look at what it gets
    constexpr size_t kBytes = size_t{32} << 20;
    void* block = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(block) = 1;
  }
  if (how == "garble") {  // finds the descriptors of the protocol
    for (int descriptor = 10; descriptor < 30; ++descriptor) {
      if (::write(descriptor, "garbage", 7) < 0) {
        continue;
      }
    }
  }
  for (int i = 0; how == "noise" && i < 20000; ++i) {
    std::printf("UCW1 welcome to my instrument\n");
    std::fprintf(stderr, "it is a fine one\n");
  }
  std::fflush(stdout);
}

template <int kDeterminism>
class Unruly final : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      .id = kDeterminism == UNCHANNEL_DETERMINISM_PER_SAMPLE ? "org.example.unruly" : "org.example.unruly_batch",
      .name = "Unruly",
      .version = "1.0.0",
      .vendor = "tests",
      .url = "",
      .licence = "Apache-2.0",
      .description = "y = 2 x + 0.1 n",
      .determinism = kDeterminism,
      .thread_class = UNCHANNEL_THREADS_INSTANCE_SERIAL,
  };

  sdk::Text fault{*this,
                  {.id = "fault",
                   .value = "none",
                   .doc = "Harm done to a poisonous sample.",
                   .choices = {"none", "crash", "hang", "exit", "memory", "rounding", "garble", "noise", "talk"}}};
  sdk::Integer poison{*this, {.id = "poison", .value = -1, .doc = "Id of the poisonous sample; -2: all are."}};
  sdk::Text trigger{*this, {.id = "trigger", .value = "", .doc = "File that names harm.", .type = UNCHANNEL_TYPE_PATH}};
  sdk::Text at_configure{*this, {.id = "at_configure", .value = "none", .doc = "Harm done there.", .choices = {"none", "crash"}}};

  sdk::Shape configure(const sdk::Shape& x_shape) override {
    harm(at_configure());
    return x_shape;
  }

  void simulate(const sdk::SimulateCall& call) const override {
    std::ifstream file(trigger());
    std::string how;
    if (!trigger().empty() && file >> how && ::unlink(std::string(trigger()).c_str()) == 0) {
      harm(how);
    }
    if (fault() == "talk") {
      talk();
    }
    for (int64_t i = 0; i < call.count(); ++i) {
      if (poison() == -2 || static_cast<int64_t>(call.id(i)) == poison()) {
        harm(std::string(fault()));
      }
    }
    call.for_each([&](int64_t i) {
      for (size_t j = 0; j < call.y[i].size(); ++j) {
        call.y[i][j] = 2.0F * call.x[i][j] + 0.1F * unchannel_normal(call.key(), call.id(i), static_cast<uint32_t>(j), 0);
      }
    });
  }

 private:
  void talk() const {
    const auto* log = sdk::detail::service<unchannel_host_log_1>(host, UNCHANNEL_SERVICE_LOG_1);
    const auto* progress = sdk::detail::service<unchannel_host_progress_1>(host, UNCHANNEL_SERVICE_PROGRESS_1);
    log->log(host, UNCHANNEL_LOG_ERROR, "the lamp flickers");
    progress->report(host, 0.25, "warming up");
  }
};

}  // namespace

UNCHANNEL_MODULE(Unruly<UNCHANNEL_DETERMINISM_PER_SAMPLE>, Unruly<UNCHANNEL_DETERMINISM_PER_BATCH>)
