#include "serve.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <unchannel/base/sha256.hpp>

#include "brief_wait.hpp"
#include "call_layout.hpp"
#include "elf_file.hpp"
#include "keyed_header.hpp"
#include "plugin_channel.hpp"
#include "process_limits.hpp"
#include "program_plugin.hpp"
#include "row_channel.hpp"
#include "shared_arena.hpp"
#include "wire.hpp"

namespace unchannel {
namespace {

/// Standard input and output are the protocol's alone: what the plugin reads is empty, what it prints goes to standard error.
class HostStream {
 public:
  HostStream() : in_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10)), out_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10)) {
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    ::close(null);
  }
  HostStream(const HostStream&) = delete;
  HostStream& operator=(const HostStream&) = delete;

  /// Nothing at the end of input. Throws ProtocolError.
  std::optional<RawMessage> read() {
    for (;;) {
      if (auto message = reader_.next_raw()) return message;
      wait_.begin();
      pollfd stream{in_, POLLIN, 0};
      while (::poll(&stream, 1, 0) == 0 && wait_.look_again()) {
      }
      const ssize_t got = ::read(in_, buffer_.data(), buffer_.size());
      wait_.end();
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::nullopt;
      reader_.feed({buffer_.data(), static_cast<std::size_t>(got)});
    }
  }

  void write(const nlohmann::json& header, std::string_view payload = {}) { write_frame(encode_frame(header, payload.size()), payload); }

  void write_frame(std::string_view frame, std::string_view payload) {
    const std::lock_guard lock(mutex_);  // plugins log from several threads
    write_all(frame);
    write_all(payload);
  }

  int in() const { return in_; }

 private:
  void write_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(out_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) ::_exit(1);  // nobody listens any more
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  static constexpr std::uint64_t kLargestPayload = std::uint64_t{1} << 40;
  int in_, out_;
  std::array<char, 65536> buffer_{};
  FrameReader reader_{FrameLimits{.payload_bytes = kLargestPayload}};
  BriefWait wait_;
  std::mutex mutex_;
};

/// A plugin that hangs must not outlive the program. PR_SET_PDEATHSIG would do for the end of the *thread* that started this process, too.
void end_with_host(int in) {
  std::thread([in] {
    for (;;) {
      pollfd stream{in, 0, 0};
      if (::poll(&stream, 1, -1) < 0 && errno == EINTR) continue;
      ::kill(0, SIGKILL);
    }
  }).detach();
}

class Server {
 public:
  Server(const ServeSettings& settings, HostStream& stream) : settings_(settings), rows_(is_row_program(settings.file)), stream_(stream) {}

  /// A call that differs from an earlier one in its key alone is done without reading its header again; false: it is another message.
  bool answer_again(const RawMessage& raw) {
    if (arena_ && arena_->has_grown()) forget_calls();
    for (auto& known : known_) {
      const auto key = known ? known->header.key_of(raw.header) : std::nullopt;
      if (!key) continue;
      known->owned.call.key = *key;
      run(known->owned);
      static const std::string result = encode_frame({{"type", "result"}});
      stream_.write_frame(result, {});
      return true;
    }
    return false;
  }

  /// False when the conversation is over. `text`: the message's header.
  bool answer(const Message& message, std::string text) {
    const std::string type = message.type();
    if (type == "shutdown") {
      channel_.reset();
      return false;
    }
    if (type == "hello") {
      forget_calls();
      hello(message);
    } else if (type == "describe") {
      describe();
    } else if (type == "create") {
      forget_calls();
      create(message);
    } else if (type == "configure") {
      forget_calls();
      configure(message);
    } else {
      call(message, std::move(text));
    }
    return true;
  }

 private:
  Library& library() {
    if (library_) return *library_;
    const std::string problem = elf_problem(settings_.file);
    check<PluginError>(problem.empty(), "{}: {}", settings_.file.string(), problem);
    library_ = &Library::load(settings_.file, settings_.sha256.empty() ? sha256_file(settings_.file) : settings_.sha256);
    return *library_;
  }

  void hello(const Message& message) {
    if (message.header.contains("shared_memory")) arena_.emplace(message.header.at("shared_memory").at("descriptor").get<int>());
    stream_.write({{"type", "hello"},
                   {"protocol", kProtocolVersion},
                   {"program", "unchannel-worker " UNCHANNEL_VERSION},
                   {"shared_memory", arena_.has_value()}});
  }

  void describe() {
    if (rows_) return stream_.write({{"type", "description"}, {"channels", {to_json(read_row_program(settings_.file).channel)}}});
    const Host host({.name = settings_.file.filename().string(), .library = settings_.file});
    nlohmann::json list = nlohmann::json::array();
    for (const ChannelDescription& channel : describe_module(library().module(), host.abi(), [](const std::string&) {})) {
      list.push_back(to_json(channel));
    }
    stream_.write({{"type", "description"}, {"channels", list}});
  }

  void create(const Message& message) {
    channel_.reset();
    if (rows_) return create_row_channel(message.header.at("channel").get<std::string>());
    const auto threads = message.header.value("threads", 1u);
    const auto log = [this](std::int32_t level, std::string_view, std::string_view text) {
      stream_.write({{"type", "log"}, {"level", level}, {"text", text}});
    };
    const auto progress = [this](double fraction, std::string_view what) {
      stream_.write({{"type", "progress"}, {"fraction", fraction}, {"what", what}});
    };
    channel_ = PluginChannel::create(library(), message.header.at("channel").get<std::string>(),
                                     {std::make_shared<ThreadPool>(threads), log, progress, false});
    stream_.write({{"type", "created"}, {"version", channel_->description().version}});
  }

  void create_row_channel(const std::string& id) {
    auto channel = RowChannel::create(settings_.file, settings_.sha256);
    check<PluginError>(channel->description().id == id, "{}: has no channel '{}'.", settings_.file.string(), id);
    channel_ = std::move(channel);
    stream_.write({{"type", "created"}, {"version", channel_->description().version}});
  }

  PluginInstance& channel() {
    check<PluginError>(channel_ != nullptr, "there is no channel yet: send create first.");
    return *channel_;
  }

  void configure(const Message& message) {
    nlohmann::json parameters = message.header.at("parameters");
    for (const ParameterDescription& parameter : channel().description().parameters) {
      const auto value = parameters.find(parameter.id);
      const bool is_text = value != parameters.end() && value->is_string() && parameter.type == UNCHANNEL_TYPE_F64;
      if (is_text) *value = std::strtod(value->get<std::string>().c_str(), nullptr);
    }
    channel().configure(message.header.at("x_shape").get<ChannelShape>(), parameters);
    nlohmann::json latents = nlohmann::json::array();
    for (const LatentLayout& layout : channel().latent_layouts()) latents.push_back({{"active", layout.active}, {"shape", layout.shape}});
    nlohmann::json offers = nlohmann::json::array();
    for (const std::string& id : channel().description().capabilities) {
      if (channel().offers(id.c_str())) offers.push_back(id);
    }
    stream_.write({{"type", "configured"},
                   {"y_shape", channel().y_shape()},
                   {"latents", latents},
                   {"canonical", channel().canonical()},
                   {"offers", offers}});
  }

  void run(const OwnedCall& owned) {
    const PluginSampleFailures failures = run(owned.call);
    std::fill_n(owned.sample_status, owned.call.count, UNCHANNEL_SAMPLE_OK);
    for (const PluginSampleFailure& failure : failures) owned.sample_status[failure.index] = failure.status;
  }

  void call(const Message& message, std::string text) {
    const bool shared = message.header.value("data", "inline") == "shared";
    check<ProtocolError>(!shared || arena_, "the call's data are in shared memory, but hello offered none.");
    const auto output_bytes = message.header.value("output_bytes", std::uint64_t{0});
    if (shared) arena_->follow();
    const std::uint64_t possible = most_output_bytes(message.payload.size());
    check<ProtocolError>(shared || output_bytes <= possible, "a call asks for {} bytes of results; what it names needs {} at most.", output_bytes,
                         possible);
    std::vector<char> results(shared ? 0 : output_bytes);
    const std::span<const char> inputs = shared ? std::span<const char>(arena_->memory()) : std::span<const char>(message.payload);
    OwnedCall owned = read_call(channel(), message.header, inputs, shared ? arena_->memory() : std::span<char>(results));
    run(owned);
    stream_.write({{"type", "result"}}, {results.data(), results.size()});
    if (!shared) return;
    const auto kind = static_cast<std::size_t>(owned.call.kind);
    if (auto header = KeyedHeader::make(std::move(text), owned.call.key)) known_[kind].emplace(*std::move(header), std::move(owned));
  }

  /// Of a call whose inputs came with the message: every call has an input of 4 bytes at least for each sample.
  std::uint64_t most_output_bytes(std::uint64_t input_bytes) {
    const std::uint64_t samples = input_bytes / 4 + 1;
    std::uint64_t elements = static_cast<std::uint64_t>(element_count(channel().x_shape(), "x")) +
                             static_cast<std::uint64_t>(element_count(channel().y_shape(), "y")) + 2;
    for (const LatentLayout& layout : channel().latent_layouts()) elements += static_cast<std::uint64_t>(layout.size);
    std::uint64_t bytes = 0;
    constexpr std::uint64_t kAlignment = 64 * 1024;  // of the buffers
    if (__builtin_mul_overflow(samples, 8 * elements, &bytes)) return std::uint64_t{1} << 40;
    return std::min(bytes + kAlignment, std::uint64_t{1} << 40);
  }

  void forget_calls() {
    for (auto& known : known_) known.reset();
  }

  PluginSampleFailures run(const BatchCall& call) const {
    try {
      return channel_->run(call);
    } catch (const PluginStatusError&) {
      throw;
    } catch (const PluginError& error) {
      if (!rows_) throw;
      // A command that fails may do better once more, and without the sample that it failed on.
      throw PluginStatusError(UNCHANNEL_RETRYABLE, call_name(call.kind), error.what());
    }
  }

  const ServeSettings& settings_;
  const bool rows_;  ///< not a library: a command that reads and writes rows
  HostStream& stream_;
  std::optional<SharedArena> arena_;
  Library* library_ = nullptr;
  std::unique_ptr<PluginInstance> channel_;
  struct KnownCall {
    KeyedHeader header;
    OwnedCall owned;  // with pointers into the shared memory as it is mapped now
    KnownCall(KeyedHeader text, OwnedCall call) : header(std::move(text)), owned(std::move(call)) {}
  };
  std::array<std::optional<KnownCall>, kCallKinds> known_;
};

nlohmann::json error_message(std::int32_t status, const std::string& text) {
  return {{"type", "error"}, {"status", status_name(status)}, {"message", text}};
}

/// What `answer` returns; true when it throws, which becomes the answer.
template <class Answer>
bool answer_safely(HostStream& stream, const std::string& type, const Answer& answer) {
  try {
    return answer();
  } catch (const PluginStatusError& error) {
    stream.write(error_message(error.status(), error.text()));
  } catch (const std::bad_alloc&) {
    stream.write(error_message(UNCHANNEL_RETRYABLE, "out of memory"));
  } catch (const nlohmann::json::exception& error) {
    stream.write(error_message(UNCHANNEL_BAD_ARGUMENT, fmt::format("'{}' is not understood: {}", type, error.what())));
  } catch (const std::exception& error) {
    stream.write(error_message(UNCHANNEL_BAD_ARGUMENT, error.what()));
  }
  return true;
}

}  // namespace

int serve_plugin(const ServeSettings& settings) {
  if (is_program_plugin(settings.file) && !is_row_program(settings.file)) return serve_program(settings);
  forbid_core_files();
  HostStream stream;
  if (settings.end_with_host) end_with_host(stream.in());
  limit_private_memory(settings.memory_limit_bytes);
  limit_library_threads(settings.threads);
  keep_freed_memory();
  Server server(settings, stream);
  try {
    while (auto raw = stream.read()) {
      if (answer_safely(stream, "a call", [&] { return server.answer_again(*raw); })) continue;
      const std::string text = raw->header;
      const Message message = read_message(*std::move(raw));
      if (!answer_safely(stream, message.type(), [&] { return server.answer(message, text); })) break;
    }
    return 0;
  } catch (const ProtocolError& error) {
    stream.write(error_message(UNCHANNEL_BAD_ARGUMENT, error.what()));
    return 1;
  }
}

}  // namespace unchannel
