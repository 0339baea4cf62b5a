// isolated-parity.
#include <algorithm>
#include <filesystem>
#include <unchannel/base/sha256.hpp>
#include <unchannel/plugin_host/probe.hpp>
#include <unchannel/plugin_host/subprocess.hpp>
#include <unchannel/plugin_host/worker_channel.hpp>

#include "check_worker.hpp"
#include "checks.hpp"
#include "child_answer.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

Batch parity_batch(const Instance& instance) { return make_batch(instance, sample_count(instance.layout(), 9), 0xABCDEF, 77); }

/// The operations whose bits are promised. With determinism NONE these are the latents alone.
std::vector<Operation> promised_operations(const Instance& instance) {
  auto operations = offered_operations(instance);
  const bool all = instance.subject().description().determinism != UNCHANNEL_DETERMINISM_NONE;
  if (!all) std::erase_if(operations, [](Operation operation) { return operation != Operation::draw_latents; });
  return operations;
}

/// The worker protocol does not carry these two: nothing in a run asks for them.
bool is_carried(Operation operation) { return operation != Operation::jvp && operation != Operation::adjoint; }

/// The worker that a run with isolation = "process" would use, under the instance's configuration.
std::unique_ptr<WorkerChannel> start_worker(Subject& subject, const Instance& instance) {
  const ProbeResult probe = probe_library(subject.request().file, {.worker = own_program()});
  check<CheckFailed>(probe.good, "the probe refuses it: {}", probe.reason);
  const auto channel = std::find_if(probe.channels.begin(), probe.channels.end(),
                                    [&](const ChannelDescription& found) { return found.id == subject.description().id; });
  check<CheckFailed>(channel != probe.channels.end(), "the probe finds no channel {}.", subject.description().id);
  IsolationSettings settings;
  settings.mode = Isolation::kProcess;
  settings.max_failures_in_row = 1;
  try {
    auto worker = WorkerChannel::create({probe, *channel, own_program()}, settings);
    nlohmann::json parameters = nlohmann::json::object();
    const auto values = subject.values();
    for (std::size_t i = 0; i < values.size(); ++i) parameters[channel->parameters[i].id] = values[i];
    worker->configure(instance.layout().x_shape, parameters, subject.request().folder());
    return worker;
  } catch (const Error& error) {
    throw CheckFailed(fmt::format("a worker process cannot be had: {}", error.what()));
  }
}

/// The operation on a worker, into buffers like those that it filled here.
CallResult call_worker(const WorkerChannel& worker, Operation operation, const Batch& batch, const CallResult& here) {
  CallResult there = here;
  for (Output& output : there.outputs) std::fill(output.bytes.begin(), output.bytes.end(), std::byte{0});
  const auto output = [&](std::size_t index) { return index < there.outputs.size() ? there.outputs[index].bytes.data() : nullptr; };
  const auto floats = [&](std::size_t index) { return reinterpret_cast<float*>(output(index)); };
  const auto& description = worker.description();
  std::vector<const void*> latents, visible;
  std::vector<void*> drawn;
  for (std::size_t i = 0, next = 0; i < batch.latents.size(); ++i) {
    const bool active = worker.latent_layouts()[i].active;
    latents.push_back(active ? batch.latents[i].data() : nullptr);
    visible.push_back(active && description.latents[i].visible() ? batch.latents[i].data() : nullptr);
    drawn.push_back(active && !description.latents[i].data_only() ? output(next++) : nullptr);
  }
  const float *x = batch.x.data(), *y = batch.y.data();
  PluginSampleFailures failures;
  switch (operation) {
    case Operation::draw_latents:
      failures = worker.draw_latents(batch.key, batch.ids, x, drawn);
      break;
    case Operation::simulate:
      failures = worker.simulate(batch.key, batch.ids, x, latents, floats(0));
      break;
    case Operation::lift:
      failures = worker.lift(batch.count(), y, visible, floats(0));
      break;
    case Operation::mean:
      failures = worker.mean(batch.count(), x, latents, floats(0));
      break;
    case Operation::vjp:
      failures = worker.vjp(batch.count(), x, latents, batch.cotangent.data(), floats(0));
      break;
    default:  // gradient, then loglik
      failures = worker.loglik(batch.count(), y, x, latents, reinterpret_cast<double*>(output(1)), floats(0));
  }
  there.sample_status.assign(batch.ids.size(), UNCHANNEL_SAMPLE_OK);
  for (const PluginSampleFailure& failure : failures) there.sample_status[static_cast<std::size_t>(failure.index)] = failure.status;
  return there;
}

/// What every host does with a result: rows of failed samples and those that are not finite become zero.
void settle(Operation operation, CallResult& result) {
  CallTensors tensors(0, static_cast<std::int64_t>(result.sample_status.size()));
  for (Output& output : result.outputs) {
    if (operation == Operation::loglik && !output.is_float) {
      tensors.out(reinterpret_cast<double*>(output.bytes.data()));
    } else {
      const unchannel_dtype words{static_cast<std::uint8_t>(output.is_float ? UNCHANNEL_DTYPE_FLOAT : UNCHANNEL_DTYPE_INT), 32, 1};
      tensors.out(output.bytes.data(), {output.row_bytes / 4}, words);
    }
  }
  tensors.settle(result.sample_status.data());
}

/// Two processes with nothing between them and the plugin.
void compare_digests(const CheckRequest& request, const nlohmann::json& here) {
  constexpr double kLimit_s = 60;
  std::vector<std::string> arguments = {own_program(), "--digest", request.file.string()};
  append_request(arguments, request);
  const SubprocessResult child = run_subprocess(arguments, kLimit_s);
  const nlohmann::json there = nlohmann::json::parse(child.out, nullptr, false);
  check<CheckFailed>(!child.timed_out && there.is_object() && there.contains("digests"), "the second process gives no answer: {}. {}",
                     child.ending(), child.err.substr(0, 300));
  for (const auto& [operation, digest] : here.items()) {
    check<CheckFailed>(there["digests"].value(operation, "") == digest.get<std::string>(), "{} gives other bits in another process.",
                       operation);
  }
}

/// Of the operations that the worker protocol does not carry.
nlohmann::json digests_of(const Instance& instance, const Batch& batch) {
  nlohmann::json digests = nlohmann::json::object();
  for (const Operation operation : promised_operations(instance)) {
    if (is_carried(operation)) continue;
    const CallResult result = call_ok(instance, operation, batch);
    std::string bytes;
    for (const Output& output : result.outputs) bytes.append(reinterpret_cast<const char*>(output.bytes.data()), output.bytes.size());
    digests[operation_name(operation)] = sha256_text(bytes);
  }
  return digests;
}

}  // namespace

nlohmann::json result_digests(const CheckRequest& request) {
  Subject subject(request);
  const auto instance = subject.configured();
  return digests_of(*instance, parity_batch(*instance));
}

void check_isolated_parity(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const Batch batch = parity_batch(*instance);
  std::size_t compared = 0;
  std::unique_ptr<WorkerChannel> worker;
  for (const Operation operation : promised_operations(*instance)) {
    if (!is_carried(operation)) continue;
    CallResult here = call_ok(*instance, operation, batch);
    settle(operation, here);
    if (here.outputs.empty()) continue;
    if (!worker) worker = start_worker(subject, *instance);
    std::string difference_found;
    try {
      difference_found = difference(operation, here, call_worker(*worker, operation, batch, here));
    } catch (const Error& error) {
      throw CheckFailed(fmt::format("{} fails in a worker process: {}", operation_name(operation), error.what()));
    }
    check<CheckFailed>(difference_found.empty(), "{} gives other bits in a worker process: {}.", operation_name(operation),
                       difference_found);
    ++compared;
  }
  const nlohmann::json digests = digests_of(*instance, batch);
  if (!digests.empty()) compare_digests(request, digests);
  compared += digests.size();
  if (compared == 0) throw CheckSkipped("the channel declares determinism NONE and draws no latents, so nothing is promised.");
  detail["operations"] = compared;
}

}  // namespace unchannel::conformance
