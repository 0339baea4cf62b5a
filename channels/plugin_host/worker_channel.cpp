#include "worker_channel.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <unchannel/base/json_text.hpp>

#include "check_record.hpp"
#include "failed_call.hpp"
#include "keyed_header.hpp"
#include "parameters.hpp"
#include "plugin_channel.hpp"
#include "process_limits.hpp"

namespace unchannel {
namespace {

constexpr double kStartDeadline_s = 30;
constexpr int kStartAttempts = 3;
constexpr std::size_t kFilesSaved = 100;

std::uint64_t memory_limit_bytes(double gib) {
  if (gib > 0) return static_cast<std::uint64_t>(gib * 1024 * 1024 * 1024);
  return half_of_memory_bytes();
}

/// memcpy writes megabytes past the caches, into memory that the worker reads at once.
void copy_in_blocks(char* to, const void* from, std::uint64_t bytes) {
  constexpr std::uint64_t kBlock = std::uint64_t{1} << 16;
  for (std::uint64_t at = 0; at < bytes; at += kBlock) {
    std::memcpy(to + at, static_cast<const char*>(from) + at, std::min(kBlock, bytes - at));
  }
}

std::filesystem::path failed_samples_folder(const IsolationSettings& settings) {
  if (!settings.failed_samples.empty() || user_cache_folder().empty()) return settings.failed_samples;
  return user_cache_folder() / "failed-samples";
}

}  // namespace

std::unique_ptr<WorkerChannel> WorkerChannel::create(const PluginRegistry& registry, const std::string& id,
                                                     const IsolationSettings& settings) {
  return create(registry, registry.find(id).library->probe, id, settings);
}

std::unique_ptr<WorkerChannel> WorkerChannel::create(const PluginRegistry& registry, const ProbeResult& probe, const std::string& id,
                                                     const IsolationSettings& settings) {
  const auto is_wanted = [&](const ChannelDescription& channel) { return channel.id == id; };
  const auto found = std::find_if(probe.channels.begin(), probe.channels.end(), is_wanted);
  check<ConfigError>(found != probe.channels.end(), "{}: holds no channel '{}'. {}", probe.file.string(), id, probe.reason);
  const RegistrySettings& program = registry.settings();
  PluginRegistry::check_unchanged(probe);
  return create(WorkerSource{probe, *found, find_worker(program.probe), registry.pool()->threads(), program.log, program.progress}, settings);
}

std::unique_ptr<WorkerChannel> WorkerChannel::create(WorkerSource source, const IsolationSettings& settings) {
  std::unique_ptr<WorkerChannel> channel(new WorkerChannel(std::move(source), settings));
  channel->worker();  // an instance that cannot be made is an error of creating it, as in-process
  return channel;
}

WorkerChannel::WorkerChannel(WorkerSource source, const IsolationSettings& settings)
    : settings_(settings), threads_(source.threads), log_(std::move(source.log)), progress_(std::move(source.progress)) {
  const ProbeResult& probe = source.probe;
  description_ = std::move(source.channel);
  offers_ = description_.capabilities;
  file_ = {probe.file, probe.sha256, probe.abi};
  probe_ = probe;
  command_ = {source.worker.string(),
              "--serve",
              probe.file.string(),
              "--sha256",
              probe.sha256,
              "--memory-limit-bytes",
              std::to_string(memory_limit_bytes(settings.memory_limit_gib)),
              "--threads",
              std::to_string(threads_),
              "--end-with-host"};
}

WorkerChannel::~WorkerChannel() = default;

bool WorkerChannel::offers(const char* extension) const { return std::find(offers_.begin(), offers_.end(), extension) != offers_.end(); }

WorkerStatistics WorkerChannel::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

/// Sends a message and returns the answer when it is of the expected type. What the plugin refuses is a PluginError as it is in-process;
/// what breaks it is a WorkerFailure: a fresh worker may do better.
Message WorkerChannel::ask(WorkerProcess& process, const std::string& function, std::string_view header, const std::string& expected,
                           std::span<const std::string_view> payload, std::uint64_t answer_payload_bytes) const {
  const double deadline_s = expected == "result" || expected == "configured" ? settings_.deadline_s : kStartDeadline_s;
  Message answer = process.exchange(function, header, payload, deadline_s, answer_payload_bytes);
  const std::string type = answer.type();
  if (type == expected) return answer;
  if (type != "error") throw WorkerFailure(fmt::format("the worker process answers {} with '{}'.", function, type.substr(0, 64)));
  const auto text_of = [&](const char* key) {
    const auto found = answer.header.find(key);
    return found != answer.header.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string status = text_of("status");
  std::string message = text_of("message").empty() ? "the plugin gives no reason." : text_of("message");
  // What the plugin host refuses by itself, in the worker as here, says the place already.
  if (!message.starts_with(place())) {
    message = fmt::format("{}{} failed with {}: {}", place(), function, status.empty() ? "no status" : status, message);
  }
  if (status == "BAD_ARGUMENT") throw PluginStatusError(UNCHANNEL_BAD_ARGUMENT, message);
  throw WorkerFailure(message);
}

Message WorkerChannel::ask(WorkerProcess& process, const nlohmann::json& header, const std::string& expected) const {
  const std::string text = json_text(header);
  return ask(process, header.at("type").get<std::string>(), text, expected, {}, 0);
}

void WorkerChannel::forget_calls() const {
  for (auto& known : known_) known.reset();
}

void WorkerChannel::discard_worker() const {
  process_.reset();
  forget_calls();
  pid_ = 0;
  configured_ = false;
}

void WorkerChannel::start_worker() const {
  PluginRegistry::check_unchanged(probe_);
  process_ = std::make_unique<WorkerProcess>(command_, [this](const nlohmann::json& note) {
    if (note.at("type") == "progress" && progress_) progress_(note.value("fraction", 0.0), note.value("what", ""));
    if (note.at("type") == "log" && log_) log_(note.value("level", UNCHANNEL_LOG_INFO), description_.id, note.value("text", ""));
  });
  pid_ = process_->pid();
  constexpr std::uint64_t kFirstShare = 1;
  process_->arena().grow(kFirstShare);
  const Message hello = ask(*process_, hello_message(kFirstShare), "hello");
  const auto protocol = hello.header.find("protocol"), shared = hello.header.find("shared_memory");
  const std::int64_t version = protocol != hello.header.end() && protocol->is_number_integer() ? protocol->get<std::int64_t>() : 0;
  check<PluginError>(version == kProtocolVersion, "{}the worker speaks version {} of the worker protocol, this program version {}.", place(),
                     version, kProtocolVersion);
  shared_ = shared != hello.header.end() && shared->is_boolean() && shared->get<bool>();
  ask(*process_, create_message(description_.id, threads_), "created");
  if (active_.set) send_configuration(*process_);
}

void WorkerChannel::send_configuration(WorkerProcess& process) const {
  std::vector<std::string> offers;
  const Configuration again = accept(ask(process, configure_message(active_.x_shape, active_.parameters), "configured"), offers);
  check<PluginError>(again.y_shape == active_.y_shape && again.canonical == active_.canonical,
                     "{}configure gives something else in another process: the channel is not deterministic.", place());
  configured_ = true;
}

WorkerProcess& WorkerChannel::worker() const {
  if (process_ && process_->pid() < 0) discard_worker();  // killed by a stop request
  for (int attempt = 1; !process_; ++attempt) {
    try {
      start_worker();
    } catch (const WorkerFailure& failure) {
      discard_worker();
      if (attempt == kStartAttempts) {
        throw PluginError(fmt::format("{}a worker could not be started {} times. The last time: {}", place(), attempt, failure.what()));
      }
    } catch (...) {
      discard_worker();
      throw;
    }
  }
  return *process_;
}

void WorkerChannel::count_failure(const WorkerFailure& failure) const {
  discard_worker();
  ++statistics_.deaths;
  ++failures_in_row_;
  last_failure_ = failure.what();
  check<PluginError>(failures_in_row_ <= settings_.max_failures_in_row,
                     "{}workers failed {} times in a row with no call finished in between. The last time: {}", place(), failures_in_row_,
                     last_failure_);
  if (log_) log_(UNCHANNEL_LOG_WARNING, description_.id, fmt::format("{}; a fresh worker repeats the call.", last_failure_));
}

PluginInstance::Configuration WorkerChannel::accept(const Message& answer, std::vector<std::string>& offers) const {
  Configuration next;
  try {
    answer.header.at("y_shape").get_to(next.y_shape);
    answer.header.at("canonical").get_to(next.canonical);
    answer.header.at("offers").get_to(offers);
    for (const nlohmann::json& latent : answer.header.at("latents")) {
      LatentLayout layout;
      latent.at("active").get_to(layout.active);
      if (layout.active) latent.at("shape").get_to(layout.shape);
      next.latents.push_back(std::move(layout));
    }
  } catch (const nlohmann::json::exception& error) {
    throw WorkerFailure(fmt::format("the answer to configure is not understood: {}", error.what()));
  }
  check<WorkerFailure>(next.latents.size() == description_.latents.size(), "configure gives {} latents, the channel has {}.",
                       next.latents.size(), description_.latents.size());
  next.y_size = element_count(next.y_shape, place() + "y");
  for (std::size_t i = 0; i < next.latents.size(); ++i) {
    if (!next.latents[i].active) continue;
    next.latents[i].size = element_count(next.latents[i].shape, place() + "latent " + description_.latents[i].id);
  }
  return next;
}

void WorkerChannel::configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex_);
  check<ConfigError>(x_shape.size() <= UNCHANNEL_MAX_NDIM, "{}a signal has {} axes; at most {} are possible.", place(), x_shape.size(),
                     UNCHANNEL_MAX_NDIM);
  const std::int64_t x_size = element_count(x_shape, place() + "x");
  const auto values = resolve_parameters(description_.id, description_.parameters, parameters, folder);
  Configuration next;
  nlohmann::json resolved = nlohmann::json::object();
  for (std::size_t i = 0; i < values.size(); ++i) resolved[description_.parameters[i].id] = values[i];
  std::vector<std::string> offers;
  for (int attempt = 1;; ++attempt) {
    try {
      next = accept(ask(worker(), configure_message(x_shape, resolved), "configured"), offers);
      break;
    } catch (const WorkerFailure& failure) {
      count_failure(failure);
      if (attempt == 2) throw PluginError(fmt::format("{}configure failed twice in a worker. The last time: {}", place(), failure.what()));
    }
  }
  next.x_shape = x_shape;
  next.x_size = x_size;
  next.parameters = std::move(resolved);
  active_.set = false;  // the worker has changed; if its configuration is unusable there is none
  const bool liftable = next.y_shape == next.x_shape || std::find(offers.begin(), offers.end(), UNCHANNEL_LIFT_1) != offers.end();
  if (!liftable) discard_worker();
  check<PluginError>(liftable,
                     "{}observations have another shape than signals and the channel has no '{}', so there is no way back to signals.",
                     place(), UNCHANNEL_LIFT_1);
  active_ = std::move(next);
  active_.set = configured_ = true;
  forget_calls();  // their shapes are those of the former configuration
  offers_ = std::move(offers);
}

/// The header of a call and what it was made for.
struct WorkerChannel::KnownCall {
  CallLayout layout;
  KeyedHeader header;
};

const std::string& WorkerChannel::header_of(const BatchCall& call, CallLayout layout) const {
  auto& known = known_[static_cast<std::size_t>(call.kind)];
  if (known && same_places(known->layout, layout)) return known->header.with_key(call.key);
  nlohmann::json header = call_header(call, layout);
  if (shared_) header["data"] = "shared";
  auto keyed = KeyedHeader::make(json_text(header), call.key);
  check<PluginError>(keyed.has_value(), "{}{}: a latent has a name that cannot be sent.", place(), call_name(call.kind));
  known = std::make_unique<KnownCall>(KnownCall{std::move(layout), *std::move(keyed)});
  return known->header.with_key(call.key);
}

/// Has the worker do a call. The results lie in the answer's payload, or in the shared memory.
Message WorkerChannel::fetch(WorkerProcess& process, const BatchCall& call, const CallLayout& layout) const {
  std::string inline_data;
  if (shared_) process.arena().grow(layout.input_bytes + layout.output_bytes);
  if (!shared_) inline_data.resize(layout.input_bytes);
  char* region = shared_ ? process.arena().memory().data() : inline_data.data();
  for (const CallBuffer& buffer : layout.inputs) copy_in_blocks(region + buffer.offset, buffer.read, buffer.bytes);
  const std::string& header = header_of(call, layout);
  if (shared_) {
    // A status that the worker does not write is a failure: −1 in every byte.
    const CallBuffer& status = layout.outputs.back();
    std::memset(region + status.offset, 0xFF, status.bytes);
    return ask(process, call_name(call.kind), header, "result", {}, 0);
  }
  const std::array<std::string_view, 1> payload{inline_data};
  Message answer = ask(process, call_name(call.kind), header, "result", payload, layout.output_bytes);
  check<WorkerFailure>(answer.payload.size() == layout.output_bytes, "the answer to {} has {} bytes of data; {} are expected.",
                       call_name(call.kind), answer.payload.size(), layout.output_bytes);
  return answer;
}

/// Takes the results from `source` (nullptr: there are none) to where the caller wants them. What the worker's word is worth: non-finite
/// results are failures whatever it says.
void WorkerChannel::settle(const BatchCall& call, std::int64_t first, const CallLayout& layout, const char* source,
                           std::vector<std::int32_t>& sample_status, PluginSampleFailures& failures) const {
  CallTensors tensors(0, call.count);
  for (const CallBuffer& buffer : layout.outputs) {
    if (buffer.write == sample_status.data()) continue;
    const char* from = source ? source + buffer.offset : nullptr;
    if (buffer.write == call.loglik) {
      tensors.out(call.loglik, reinterpret_cast<const double*>(from));
    } else {
      tensors.out(buffer.write, {buffer.shape.begin() + 1, buffer.shape.end()}, buffer.element, from);
    }
  }
  tensors.settle(sample_status.data());
  for (std::size_t i = 0; i < sample_status.size(); ++i) {
    if (sample_status[i] == UNCHANNEL_SAMPLE_OK) continue;
    const std::int64_t index = first + static_cast<std::int64_t>(i);
    failures.push_back({index, call.ids.empty() ? static_cast<std::uint64_t>(index) : call.ids[i], sample_status[i]});
  }
}

bool WorkerChannel::attempt(const BatchCall& call, std::int64_t first, PluginSampleFailures& failures) const {
  std::vector<std::int32_t> sample_status(static_cast<std::size_t>(call.count));
  try {
    WorkerProcess& process = worker();
    const CallLayout layout = lay_out(*this, call, sample_status.data(), shared_);
    const Message answer = fetch(process, call, layout);
    const char* results = shared_ ? process.arena().memory().data() : answer.payload.data();
    const CallBuffer& status = layout.outputs.back();
    std::memcpy(sample_status.data(), results + status.offset, status.bytes);
    for (std::int32_t& sample : sample_status) {
      if (sample < UNCHANNEL_SAMPLE_OK) sample = UNCHANNEL_SAMPLE_FAILED;  // negative ones are the host's own
    }
    settle(call, first, layout, results, sample_status, failures);
    failures_in_row_ = 0;
    return true;
  } catch (const WorkerFailure& failure) {
    count_failure(failure);
    return false;
  }
}

void WorkerChannel::drop(const BatchCall& call, std::int64_t first, PluginSampleFailures& failures) const {
  std::vector<std::int32_t> sample_status(static_cast<std::size_t>(call.count), kSampleCrashed);
  settle(call, first, lay_out(*this, call, sample_status.data(), shared_), nullptr, sample_status, failures);
  statistics_.dropped_samples += call.count;
  const std::filesystem::path folder = failed_samples_folder(settings_);
  std::string where = "not saved";
  try {
    if (!folder.empty() && statistics_.saved.size() < kFilesSaved) {
      statistics_.saved.push_back(save_failed_call(folder, *this, call, last_failure_));
      where = "saved as " + statistics_.saved.back().string();
    }
  } catch (const DataError& error) {
    where = fmt::format("not saved: {}", error.what());
  }
  if (log_) {
    const std::string what =
        call.count == 1 && !call.ids.empty() ? fmt::format("sample {}", call.ids[0]) : fmt::format("{} samples", call.count);
    log_(UNCHANNEL_LOG_WARNING, description_.id, fmt::format("{} of {}: given up; the call is {}.", what, call_name(call.kind), where));
  }
}

/// Tries a call, then its halves, until what cannot be done is found.
void WorkerChannel::complete(const BatchCall& call, std::int64_t first, int attempts, PluginSampleFailures& failures) const {
  for (int i = 0; i < attempts; ++i) {
    if (attempt(call, first, failures)) return;
  }
  const bool divisible = description_.determinism == UNCHANNEL_DETERMINISM_PER_SAMPLE || call.kind == CallKind::kDrawLatents;
  if (call.count == 1 || !divisible) return drop(call, first, failures);
  const std::int64_t half = call.count / 2;
  for (const auto& [begin, count] : {std::pair{std::int64_t{0}, half}, std::pair{half, call.count - half}}) {
    const OwnedCall part = slice(*this, call, begin, count);
    // One sample alone gets two tries again: an accident may have happened to the parts that it was in.
    complete(part.call, first + begin, count == 1 ? 2 : 1, failures);
  }
}

PluginSampleFailures WorkerChannel::run(const BatchCall& call) const {
  PluginSampleFailures failures;
  if (call.count == 0) return failures;
  const std::lock_guard lock(mutex_);
  check<PluginError>(active_.set, "{}{} before configure.", place(), call_name(call.kind));
  complete(call, 0, 2, failures);
  return failures;
}

}  // namespace unchannel
