#include "program_module.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <unchannel/plugin_host/worker_channel.hpp>
#include <vector>

#include "verdict.hpp"

namespace unchannel::conformance {
namespace {

constexpr double kDeadline_s = 20;  // of one call; below the time limits of the checks, so that a hang is told as one

/// The schema in the structs of channel.h; borrows its texts from the description.
class Schema {
 public:
  explicit Schema(const ChannelDescription& channel) {
    for (const ParameterDescription& p : channel.parameters) add(p);
    for (const LatentDescription& l : channel.latents) {
      latents.push_back({l.id.c_str(), l.unit.c_str(), l.doc.c_str(), l.prior.c_str(), l.count_of.empty() ? nullptr : l.count_of.c_str(),
                         l.dtype, l.flags});
    }
  }
  std::deque<unchannel_parameter> parameters;
  std::deque<unchannel_latent> latents;

 private:
  void add(const ParameterDescription& p) {
    unchannel_parameter& raw = parameters.emplace_back();
    raw.id = p.id.c_str();
    raw.unit = p.unit.c_str();
    raw.doc = p.doc.c_str();
    raw.type = p.type;
    raw.flags = p.flags;
    raw.min_f64 = p.min_f64;
    raw.max_f64 = p.max_f64;
    raw.min_i64 = p.min_i64;
    raw.max_i64 = p.max_i64;
    if (p.type == UNCHANNEL_TYPE_ENUM) {
      auto& names = choices_.emplace_back();
      for (const std::string& choice : p.choices) names.push_back(choice.c_str());
      raw.choices = names.data();
      raw.choice_count = static_cast<std::uint32_t>(names.size());
    }
    if (p.default_value.is_null()) return;
    if (p.type == UNCHANNEL_TYPE_F64) raw.default_f64 = p.default_value.get<double>();
    if (p.type == UNCHANNEL_TYPE_I64) raw.default_i64 = p.default_value.get<std::int64_t>();
    if (p.type == UNCHANNEL_TYPE_BOOL) raw.default_i64 = p.default_value.get<bool>() ? 1 : 0;
    if (p.default_value.is_string()) raw.default_text = p.default_value.get_ref<const std::string&>().c_str();
  }
  std::deque<std::vector<const char*>> choices_;
};

/// The channel that this process checks.
struct Program {
  Program(const std::filesystem::path& file, const std::string& wanted)
      : registry({.default_folders = false, .threads = 1}), probe(probe_library(file)) {
    check<CheckFailed>(probe.good, "{}", probe.reason);
    const std::string id = wanted.empty() ? probe.channels.at(0).id : wanted;
    for (const ChannelDescription& channel : probe.channels) {
      if (channel.id == id) description = channel;
    }
    check<CheckFailed>(description.id == id, "holds no channel '{}'.", id);
    schema = std::make_unique<Schema>(description);
    descriptor = {description.id.c_str(),          description.name.c_str(), description.version.c_str(),
                  description.vendor.c_str(),      description.url.c_str(),  description.licence.c_str(),
                  description.description.c_str(), description.determinism,  description.thread_class};
  }
  PluginRegistry registry;
  ProbeResult probe;
  ChannelDescription description;
  std::unique_ptr<Schema> schema;
  unchannel_descriptor descriptor{};
};

std::unique_ptr<Program> the_program;

struct ProgramInstance {
  const unchannel_host* host;
  std::unique_ptr<WorkerChannel> channel;
};

ProgramInstance& self(void* instance) { return *static_cast<ProgramInstance*>(instance); }

/// Does `work`; what it throws becomes a status and a text. `broken`: whether a worker has died of it.
template <class Work, class Broken>
std::int32_t guarded(const unchannel_host& host, Work&& work, Broken&& broken) {
  try {
    work();
    return UNCHANNEL_OK;
  } catch (const std::exception& error) {
    host.set_error(&host, error.what());
    return broken() ? UNCHANNEL_INSTANCE_BROKEN : UNCHANNEL_BAD_ARGUMENT;
  }
}

template <class Work>
std::int32_t guarded(ProgramInstance& me, Work&& work) {
  const std::int64_t deaths = me.channel->statistics().deaths;
  return guarded(*me.host, work, [&] { return me.channel->statistics().deaths > deaths; });
}

std::int32_t create(const unchannel_host* host, void** instance) {
  return guarded(
      *host,
      [&] {
        IsolationSettings settings{.deadline_s = kDeadline_s, .max_failures_in_row = 0};
        *instance = new ProgramInstance{
            host, WorkerChannel::create(the_program->registry, the_program->probe, the_program->description.id, settings)};
      },
      [] { return true; });
}

void destroy(void* instance) { delete static_cast<ProgramInstance*>(instance); }

std::uint32_t parameter_count(void*) { return static_cast<std::uint32_t>(the_program->schema->parameters.size()); }
const unchannel_parameter* parameter(void*, std::uint32_t index) {
  return index < parameter_count(nullptr) ? &the_program->schema->parameters[index] : nullptr;
}
std::uint32_t latent_count(void*) { return static_cast<std::uint32_t>(the_program->schema->latents.size()); }
const unchannel_latent* latent(void*, std::uint32_t index) {
  return index < latent_count(nullptr) ? &the_program->schema->latents[index] : nullptr;
}

nlohmann::json value_of(const unchannel_value& value) {
  if (value.type == UNCHANNEL_TYPE_F64) return value.f64;
  if (value.type == UNCHANNEL_TYPE_I64) return value.i64;
  if (value.type == UNCHANNEL_TYPE_BOOL) return value.i64 != 0;
  return value.text;
}

std::int32_t configure(void* instance, const unchannel_configure_args* args, unchannel_configure_result* result) {
  ProgramInstance& me = self(instance);
  return guarded(me, [&] {
    nlohmann::json parameters = nlohmann::json::object();
    for (std::uint32_t i = 0; i < args->value_count; ++i) parameters[args->values[i]->id] = value_of(*args->values[i]);
    me.channel->configure({args->x_shape, args->x_shape + args->x_ndim}, parameters);
    const auto& layouts = me.channel->latent_layouts();
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      unchannel_latent_shape& shape = *result->latent_shapes[i];
      shape.active = layouts[i].active ? 1 : 0;
      shape.ndim = static_cast<std::int32_t>(layouts[i].shape.size());
      std::copy(layouts[i].shape.begin(), layouts[i].shape.end(), shape.extent);
    }
    const ChannelShape& y_shape = me.channel->y_shape();
    result->y_ndim = static_cast<std::int32_t>(y_shape.size());
    std::copy(y_shape.begin(), y_shape.end(), result->y_shape);
    result->workspace_bytes = result->workspace_bytes_per_sample = 0;
    result->canonical = me.channel->canonical().c_str();
  });
}

template <class T>
T* data(const unchannel_tensor* tensor) {
  return tensor ? reinterpret_cast<T*>(static_cast<char*>(tensor->data) + tensor->byte_offset) : nullptr;
}

/// Makes the call; statuses of samples go where the batch wants them.
template <class Args, class Fill>
std::int32_t call(void* instance, CallKind kind, const unchannel_batch* batch, const Args* args, Fill&& fill) {
  ProgramInstance& me = self(instance);
  return guarded(me, [&] {
    BatchCall call{.kind = kind, .key = batch->key, .count = batch->count};
    if (kind == CallKind::kDrawLatents || kind == CallKind::kSimulate) call.ids = {batch->ids, static_cast<std::size_t>(batch->count)};
    std::vector<const void*> latents;
    std::vector<void*> latents_out;
    for (std::uint32_t i = 0; i < args->latent_count; ++i) {
      void* const values = data<void>(args->latents[i]);
      if (kind == CallKind::kDrawLatents) latents_out.push_back(values);
      if (kind != CallKind::kDrawLatents) latents.push_back(values);
    }
    call.latents = latents;
    call.latents_out = latents_out;
    fill(call);
    me.channel->check_call(call);
    for (const PluginSampleFailure& failure : me.channel->run(call)) batch->sample_status[failure.index] = failure.status;
  });
}

std::int32_t draw_latents(void* instance, const unchannel_batch* batch, const unchannel_draw_latents_args* args) {
  return call(instance, CallKind::kDrawLatents, batch, args, [&](BatchCall& call) { call.x = data<float>(args->x); });
}

std::int32_t simulate(void* instance, const unchannel_batch* batch, const unchannel_simulate_args* args) {
  return call(instance, CallKind::kSimulate, batch, args, [&](BatchCall& call) {
    call.x = data<float>(args->x);
    call.result = data<float>(args->y);
  });
}

std::int32_t lift(void* instance, const unchannel_batch* batch, const unchannel_lift_args* args) {
  return call(instance, CallKind::kLift, batch, args, [&](BatchCall& call) {
    call.y = data<float>(args->y);
    call.result = data<float>(args->lifted);
  });
}

std::int32_t mean(void* instance, const unchannel_batch* batch, const unchannel_mean_args* args) {
  return call(instance, CallKind::kMean, batch, args, [&](BatchCall& call) {
    call.x = data<float>(args->x);
    call.result = data<float>(args->mean);
  });
}

std::int32_t vjp(void* instance, const unchannel_batch* batch, const unchannel_vjp_args* args) {
  return call(instance, CallKind::kVjp, batch, args, [&](BatchCall& call) {
    call.x = data<float>(args->x);
    call.cotangent = data<float>(args->cotangent);
    call.result = data<float>(args->gradient);
  });
}

std::int32_t loglik(void* instance, const unchannel_batch* batch, const unchannel_loglik_args* args) {
  return call(instance, CallKind::kLoglik, batch, args, [&](BatchCall& call) {
    call.x = data<float>(args->x);
    call.y = data<float>(args->y);
    call.loglik = args->loglik;
    call.result = data<float>(args->gradient);
  });
}

/// The table of an optional function that the protocol has; nullptr for other ids.
const void* extension_table(const std::string& id) {
  static constexpr unchannel_lift_1 kLift{&lift};
  static constexpr unchannel_mean_1 kMean{&mean};
  static constexpr unchannel_vjp_1 kVjp{&vjp};
  static constexpr unchannel_loglik_1 kLoglik{&loglik};
  if (id == UNCHANNEL_LIFT_1) return &kLift;
  if (id == UNCHANNEL_MEAN_1) return &kMean;
  if (id == UNCHANNEL_VJP_1) return &kVjp;
  return id == UNCHANNEL_LOGLIK_1 ? &kLoglik : nullptr;
}

const void* get_extension(void* instance, const char* id) { return self(instance).channel->offers(id) ? extension_table(id) : nullptr; }

constexpr unchannel_core_1 kCore{&create, &destroy,   &parameter_count, &parameter, &latent_count,
                                 &latent, &configure, &draw_latents,    &simulate,  &get_extension};

std::int32_t init(const unchannel_host*) { return UNCHANNEL_OK; }
void shutdown() {}
std::uint32_t channel_count() { return 1; }
const unchannel_descriptor* channel_descriptor(std::uint32_t index) { return index == 0 ? &the_program->descriptor : nullptr; }
const void* get_table(std::uint32_t index, const char* id) {
  if (index != 0) return nullptr;
  if (std::strcmp(id, UNCHANNEL_CORE_1) == 0) return &kCore;
  const auto& offered = the_program->description.capabilities;
  return std::find(offered.begin(), offered.end(), id) != offered.end() ? extension_table(id) : nullptr;
}

constexpr unchannel_module kModule{UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR, &init,     &shutdown,
                                   &channel_count,      &channel_descriptor, &get_table};

struct Exempt {
  const char* check;
  const char* why;
};
constexpr const char* kNoLibrary = "a program is no library that is loaded.";
constexpr const char* kOwnProcess = "a program runs in a process of its own, whose memory and state nobody else feels.";
constexpr const char* kNoTables = "a program sees messages instead of the structs and tables of channel.h.";
constexpr const char* kNoDevice = "a program gets its data on the CPU.";
constexpr std::array kExempt = {Exempt{"elf-exports", kNoLibrary},
                                Exempt{"elf-needed", kNoLibrary},
                                Exempt{"load-now-local", kNoLibrary},
                                Exempt{"scan-cost", kNoLibrary},
                                Exempt{"fp-environment", kOwnProcess},
                                Exempt{"lifecycle-2000", kOwnProcess},
                                Exempt{"guard-pages", kOwnProcess},
                                Exempt{"no-retain", kOwnProcess},
                                Exempt{"abi-sizes", kNoTables},
                                Exempt{"unknown-id", kNoTables},
                                Exempt{"cpu-gpu-parity", kNoDevice},
                                Exempt{"stream-order", kNoDevice},
                                Exempt{"parameter-reject", "the host refuses values outside the schema before a program sees them."},
                                Exempt{"thread-class", "calls of one program wait for each other."}};

}  // namespace

const unchannel_module& program_module(const std::filesystem::path& file, const std::string& id) {
  if (!the_program) the_program = std::make_unique<Program>(file, id);
  return kModule;
}

const char* why_not_for_programs(const std::string& check) {
  for (const Exempt& exempt : kExempt) {
    if (check == exempt.check) return exempt.why;
  }
  return nullptr;
}

}  // namespace unchannel::conformance
