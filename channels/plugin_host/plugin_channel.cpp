#include "plugin_channel.hpp"

#include <algorithm>
#include <clocale>
#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>

#include "parameters.hpp"

namespace unchannel {
namespace {

/// Holds what a call into the plugin needs: the library for PROCESS_SERIAL, the instance, or a share of it.
class CallLock {
 public:
  CallLock(std::int32_t thread_class, Library& library, std::shared_mutex& instance) {
    if (thread_class == UNCHANNEL_THREADS_REENTRANT) {
      shared_ = std::shared_lock(instance);
      return;
    }
    alone_ = std::unique_lock(instance);
    if (thread_class == UNCHANNEL_THREADS_PROCESS_SERIAL) library_ = std::unique_lock(library.call_mutex());
  }

 private:
  std::shared_lock<std::shared_mutex> shared_;
  std::unique_lock<std::shared_mutex> alone_;
  std::unique_lock<std::mutex> library_;
};

}  // namespace

std::unique_ptr<PluginChannel> PluginChannel::create(const PluginRegistry& registry, const std::string& id) {
  const auto found = registry.find(id);
  const ProbeResult& probe = found.library->probe;
  PluginRegistry::check_unchanged(probe);
  return create(Library::load(probe.file, probe.sha256), id, {registry.pool(), registry.settings().log, registry.settings().progress});
}

std::unique_ptr<PluginChannel> PluginChannel::create(Library& library, const std::string& id, PluginServices services) {
  return std::unique_ptr<PluginChannel>(new PluginChannel(library, id, std::move(services)));
}

PluginChannel::PluginChannel(Library& library, const std::string& id, PluginServices services)
    : library_(library),
      pool_(services.pool),
      host_({.name = id,
             .library = library.file(),
             .pool = std::move(services.pool),
             .log = std::move(services.log),
             .progress = std::move(services.progress)}),
      settle_(services.settle) {
  description_.id = id;
  library_.acquire();
  try {
    const std::uint32_t index = library_.channel_index(id);
    description_ = read_descriptor(library_.module(), index);
    core_ = &core_table(library_.module(), index);
    check_status(core_->create(&host_.abi(), &instance_), place() + "create");
    description_.parameters = read_parameters(*core_, instance_);
    description_.latents = read_latents(*core_, instance_);
    for (const char* id_of :
         {UNCHANNEL_LIFT_1, UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_JVP_1, UNCHANNEL_ADJOINT_1, UNCHANNEL_LOGLIK_1}) {
      if (offers(id_of)) description_.capabilities.emplace_back(id_of);
    }
    // A reentrant per-sample channel is shared out by samples here; others may use the whole budget by themselves.
    const bool split =
        description_.thread_class == UNCHANNEL_THREADS_REENTRANT && description_.determinism == UNCHANNEL_DETERMINISM_PER_SAMPLE;
    const auto* threads = static_cast<const unchannel_threads_1*>(core_->get_extension(instance_, UNCHANNEL_THREADS_1));
    if (threads && !split) check_status(threads->set_budget(instance_, pool_->threads()), place() + "set_budget");
  } catch (...) {
    if (instance_) core_->destroy(instance_);
    library_.release();
    throw;
  }
}

PluginChannel::~PluginChannel() {
  if (!library_.broken()) core_->destroy(instance_);
  library_.release();
}

PluginFile PluginChannel::file() const {
  return {library_.file(), library_.sha256(), fmt::format("{}.{}", library_.module().abi_major, library_.module().abi_minor)};
}

void PluginChannel::check_usable() const {
  if (library_.broken()) throw PluginError(place() + "the library reported MODULE_BROKEN earlier; start the program again.");
  if (broken_) throw PluginError(place() + "the channel reported INSTANCE_BROKEN earlier and cannot be used any more.");
}

bool PluginChannel::offers(const char* extension) const { return core_->get_extension(instance_, extension) != nullptr; }

template <class Table>
const Table& PluginChannel::table(const char* extension) const {
  const auto* found = static_cast<const Table*>(core_->get_extension(instance_, extension));
  check<ConfigError>(found != nullptr, "{}has no '{}' in this configuration.", place(), extension);
  return *found;
}

void PluginChannel::configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder) {
  const std::unique_lock lock(mutex_);
  check_usable();
  check<ConfigError>(x_shape.size() <= UNCHANNEL_MAX_NDIM, "{}a signal has {} axes; at most {} are possible.", place(), x_shape.size(),
                     UNCHANNEL_MAX_NDIM);
  const std::int64_t x_size = element_count(x_shape, place() + "x");
  const auto values = resolve_parameters(description_.id, description_.parameters, parameters, folder);
  const auto raw_values = to_values(description_.parameters, values);
  std::vector<const unchannel_value*> value_pointers;
  for (const auto& value : raw_values) value_pointers.push_back(&value);
  std::vector<unchannel_latent_shape> shapes(description_.latents.size());
  std::vector<unchannel_latent_shape*> shape_pointers;
  for (auto& shape : shapes) shape_pointers.push_back(&shape);

  unchannel_configure_args args{};
  args.struct_size = sizeof args;
  args.x_shape = x_shape.data();
  args.x_ndim = static_cast<std::int32_t>(x_shape.size());
  args.value_count = static_cast<std::uint32_t>(raw_values.size());
  args.values = value_pointers.data();
  unchannel_configure_result result{};
  result.struct_size = sizeof result;
  result.latent_shapes = shape_pointers.data();
  result.latent_count = static_cast<std::uint32_t>(shapes.size());

  const ProcessState state = ProcessState::capture();
  take_plugin_error();
  const std::int32_t status = core_->configure(instance_, &args, &result);
  const std::string error = take_plugin_error();
  const std::string changed = state.difference(ProcessState::capture());
  if (!changed.empty()) {
    state.restore();
    broken_ = true;
    throw PluginError(fmt::format("{}configure changes the process: {}. A plugin must leave them alone.", place(), changed));
  }
  settle_status("configure", status, error);
  calls_inspected_ = 0;
  active_.set = false;  // the plugin's state has changed; if the result is unusable there is no configuration
  Configuration next = accept(result, shapes);
  next.x_shape = x_shape;
  next.x_size = x_size;
  next.parameters = nlohmann::json::object();
  for (std::size_t i = 0; i < values.size(); ++i) next.parameters[description_.parameters[i].id] = values[i];
  check<PluginError>(next.y_shape == next.x_shape || offers(UNCHANNEL_LIFT_1),
                     "{}observations have another shape than signals and the channel has no '{}', so there is no way back to signals.",
                     place(), UNCHANNEL_LIFT_1);
  active_ = std::move(next);
  active_.set = true;
}

PluginChannel::Configuration PluginChannel::accept(const unchannel_configure_result& result,
                                                   const std::vector<unchannel_latent_shape>& shapes) const {
  const auto shape_of = [this](std::int32_t ndim, const std::int64_t* extents, const std::string& what) {
    check<PluginError>(ndim >= 0 && ndim <= UNCHANNEL_MAX_NDIM, "{}configure gives {} {} axes.", place(), what, ndim);
    return ChannelShape(extents, extents + ndim);
  };
  Configuration next;
  next.y_shape = shape_of(result.y_ndim, result.y_shape, "y");
  next.y_size = element_count(next.y_shape, place() + "y");
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    LatentLayout layout;
    layout.active = shapes[i].active != 0;
    if (layout.active) {
      layout.shape = shape_of(shapes[i].ndim, shapes[i].extent, "latent " + description_.latents[i].id);
      layout.size = element_count(layout.shape, place() + "latent " + description_.latents[i].id);
    }
    next.latents.push_back(std::move(layout));
  }
  check<PluginError>(result.canonical != nullptr, "{}configure returns no canonical configuration.", place());
  next.canonical = result.canonical;
  next.workspace_bytes = result.workspace_bytes;
  next.workspace_bytes_per_sample = result.workspace_bytes_per_sample;
  return next;
}

std::vector<const unchannel_tensor*> PluginChannel::latent_tensors(CallTensors& tensors, InLatents latents) const {
  std::vector<const unchannel_tensor*> list(active_.latents.size(), nullptr);
  for (std::size_t i = 0; i < latents.size(); ++i) {
    list[i] = tensors.in(latents[i], active_.latents[i].shape, latent_dtype(description_.latents[i].dtype));
  }
  return list;
}

void PluginChannel::settle_status(const char* function, std::int32_t status, const std::string& error) const {
  if (status == UNCHANNEL_OK) return;
  if (status == UNCHANNEL_CANCELLED && stop_requested() != 0) throw InterruptedError(place() + function + " was stopped", stop_requested());
  if (status == UNCHANNEL_MODULE_BROKEN) library_.mark_broken();
  if (status < UNCHANNEL_OK || status >= UNCHANNEL_INSTANCE_BROKEN) broken_ = true;  // an unknown status: expect the worst
  throw PluginStatusError(status, place() + function, error);
}

PluginSampleFailures PluginChannel::run(const BatchCall& call) const {
  const CallLock lock(description_.thread_class, library_, mutex_);
  check_usable();
  CallFrame frame;
  frame.key = call.key;
  frame.workspace_bytes = active_.workspace_bytes;
  frame.workspace_bytes_per_sample = active_.workspace_bytes_per_sample;
  frame.split = description_.thread_class == UNCHANNEL_THREADS_REENTRANT && description_.determinism == UNCHANNEL_DETERMINISM_PER_SAMPLE;
  frame.elements_per_sample = active_.x_size + active_.y_size;
  frame.settle = settle_;
  frame.pool = pool_.get();
  frame.workspaces = &workspaces_;
  // Everything is compared after the first calls; after each, what costs next to nothing.
  const bool is_early = calls_inspected_.load(std::memory_order_relaxed) < kCallsInspected;
  const std::optional<ProcessState> before = is_early ? std::optional(ProcessState::capture()) : std::nullopt;
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  CallOutcome outcome = run_call(frame, call.ids, call.count, [&](CallTensors& tensors, const unchannel_batch& batch) {
    return call.kind == CallKind::kDrawLatents ? draw_latents_part(call, tensors, batch) : call_part(call, tensors, batch);
  });
  if (before || locale != std::setlocale(LC_ALL, nullptr)) {
    check_left_alone(call_name(call.kind), before, locale);
  }
  settle_status(call_name(call.kind), outcome.status, outcome.error);
  return std::move(outcome.failures);
}

void PluginChannel::check_left_alone(const char* function, const std::optional<ProcessState>& before, const std::string& locale) const {
  std::string changed;
  if (before) {
    calls_inspected_.fetch_add(1, std::memory_order_relaxed);
    changed = before->difference(ProcessState::capture());
    if (!changed.empty()) before->restore();
  } else {
    changed = fmt::format("the locale ('{}' became '{}')", locale, std::setlocale(LC_ALL, nullptr));
    std::setlocale(LC_ALL, locale.c_str());
  }
  if (changed.empty()) return;
  settle_status(function, UNCHANNEL_INSTANCE_BROKEN, fmt::format("it changes the process: {}. A plugin must leave them alone.", changed));
}

namespace {

template <class Args>
Args make_args(const std::vector<const unchannel_tensor*>& latents) {
  Args args{};
  args.struct_size = sizeof args;
  args.latents = latents.data();
  args.latent_count = static_cast<std::uint32_t>(latents.size());
  return args;
}

}  // namespace

std::int32_t PluginChannel::draw_latents_part(const BatchCall& call, CallTensors& tensors, const unchannel_batch& batch) const {
  std::vector<const unchannel_tensor*> list(active_.latents.size(), nullptr);
  for (std::size_t i = 0; i < list.size(); ++i) {
    list[i] = tensors.out(call.latents_out[i], active_.latents[i].shape, latent_dtype(description_.latents[i].dtype));
  }
  auto args = make_args<unchannel_draw_latents_args>(list);
  args.x = tensors.in(call.x, active_.x_shape);
  return core_->draw_latents(instance_, &batch, &args);
}

template <class Args>
Args PluginChannel::signal_args(const BatchCall& call, CallTensors& tensors, const std::vector<const unchannel_tensor*>& latents) const {
  auto args = make_args<Args>(latents);
  args.x = tensors.in(call.x, active_.x_shape);
  return args;
}

std::int32_t PluginChannel::call_part(const BatchCall& call, CallTensors& tensors, const unchannel_batch& batch) const {
  const auto list = latent_tensors(tensors, call.latents);
  switch (call.kind) {
    case CallKind::kSimulate: {
      auto args = signal_args<unchannel_simulate_args>(call, tensors, list);
      args.y = tensors.out(call.result, active_.y_shape);
      return core_->simulate(instance_, &batch, &args);
    }
    case CallKind::kLift: {
      auto args = make_args<unchannel_lift_args>(list);
      args.y = tensors.in(call.y, active_.y_shape);
      args.lifted = tensors.out(call.result, active_.x_shape);
      return table<unchannel_lift_1>(UNCHANNEL_LIFT_1).lift(instance_, &batch, &args);
    }
    case CallKind::kMean: {
      auto args = signal_args<unchannel_mean_args>(call, tensors, list);
      args.mean = tensors.out(call.result, active_.y_shape);
      return table<unchannel_mean_1>(UNCHANNEL_MEAN_1).mean(instance_, &batch, &args);
    }
    case CallKind::kVjp: {
      auto args = signal_args<unchannel_vjp_args>(call, tensors, list);
      args.cotangent = tensors.in(call.cotangent, active_.y_shape);
      args.gradient = tensors.out(call.result, active_.x_shape);
      return table<unchannel_vjp_1>(UNCHANNEL_VJP_1).vjp(instance_, &batch, &args);
    }
    default: {
      auto args = signal_args<unchannel_loglik_args>(call, tensors, list);
      args.y = tensors.in(call.y, active_.y_shape);
      args.loglik = tensors.out(call.loglik);
      args.gradient = tensors.out(call.result, active_.x_shape);
      return table<unchannel_loglik_1>(UNCHANNEL_LOGLIK_1).loglik(instance_, &batch, &args);
    }
  }
}

}  // namespace unchannel
