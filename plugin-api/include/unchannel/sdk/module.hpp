// From a C++ class to the C tables of channel.h.
#ifndef UNCHANNEL_SDK_MODULE_HPP
#define UNCHANNEL_SDK_MODULE_HPP

#include <unchannel/channel.h>
#include <unchannel/sdk/call.hpp>
#include <unchannel/sdk/cuda.hpp>
#include <unchannel/sdk/declare.hpp>
#include <unchannel/sdk/error.hpp>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace unchannel::sdk {

/// Bytes that configure asks the host for in every call (Call::workspace).
struct Workspace {
  uint64_t bytes = 0;
  uint64_t bytes_per_sample = 0;
};

class Channel : public Declarations {
 public:
  virtual ~Channel() = default;
  /// Checks x_shape and the parameters against each other, activates latents, prepares tables; returns y_shape. Throws bad_argument(…).
  virtual Shape configure(const Shape& x_shape) = 0;
  /// Writes what call.draw(latent) returns non-empty.
  virtual void draw_latents(const DrawCall&) const {}
  virtual void simulate(const SimulateCall& call) const = 0;

  Workspace workspace;                   ///< set in configure
  const unchannel_host* host = nullptr;  ///< set before configure
};

namespace detail {

template <class C>
struct Instance {
  const unchannel_host* host = nullptr;
  C schema;                   // answers parameter() and latent() for the whole life, so their strings never move
  std::unique_ptr<C> active;  // the configuration in force
  Shapes shapes;
  std::string canonical;
};

template <class C>
Instance<C>& self(void* instance) {
  return *static_cast<Instance<C>*>(instance);
}

template <class Struct>
Struct take(const Struct* args, uint64_t v1_size, const char* what) {
  Struct own;
  if (unchannel_take_args(&own, sizeof own, args, v1_size) != UNCHANNEL_OK) {
    throw bad_argument(what, ": struct_size is below that of ABI 1.0, or the chain pointer is not NULL.");
  }
  return own;
}

/// The common frame of all batch calls.
template <class C, class CallType, auto Method, uint64_t kV1Size>
int32_t batch_call(void* instance, const unchannel_batch* batch, const typename CallType::Args* args) noexcept {
  Instance<C>& me = self<C>(instance);
  return guarded(me.host, UNCHANNEL_INSTANCE_BROKEN, [&] {
    if (!me.active) {
      throw bad_argument("the channel is not configured: call configure first.");
    }
    const auto own_batch = take(batch, UNCHANNEL_BATCH_V1_SIZE, "batch");
    require_device<C, CallType>(*me.active, own_batch);
    const CallType call(me.host, own_batch, take(args, kV1Size, "args"), me.shapes);
    (me.active.get()->*Method)(call);
  });
}

template <class C>
int32_t create(const unchannel_host* host, void** instance) noexcept {
  return guarded(host, UNCHANNEL_BAD_ARGUMENT, [&] {
    auto made = std::make_unique<Instance<C>>();
    made->host = host;
    *instance = made.release();
  });
}

template <class C>
void destroy(void* instance) noexcept {
  delete static_cast<Instance<C>*>(instance);
}

template <class C>
int32_t configure(void* instance, const unchannel_configure_args* args, unchannel_configure_result* result) noexcept {
  Instance<C>& me = self<C>(instance);
  return guarded(me.host, UNCHANNEL_BAD_ARGUMENT, [&] {
    const auto in = take(args, UNCHANNEL_CONFIGURE_ARGS_V1_SIZE, "configure args");
    const auto out = take(result, UNCHANNEL_CONFIGURE_RESULT_V1_SIZE, "configure result");
    auto next = std::make_unique<C>();
    next->host = me.host;
    if (in.value_count != next->parameters.size()) {
      throw bad_argument("got ", in.value_count, " values for ", next->parameters.size(), " parameters.");
    }
    if (out.latent_count != next->latents.size()) {
      throw bad_argument("got ", out.latent_count, " latent shapes for ", next->latents.size(), " latents.");
    }
    if (in.x_ndim < 0 || in.x_ndim > UNCHANNEL_MAX_NDIM) {
      throw bad_argument("x has ", in.x_ndim, " axes; at most ", UNCHANNEL_MAX_NDIM, " are possible.");
    }
    std::string canonical;
    for (uint32_t i = 0; i < in.value_count; ++i) {
      ParameterBase& parameter = *next->parameters[i];
      const unchannel_value* value = in.values[i];
      if (value == nullptr || value->id == nullptr || std::strcmp(value->id, parameter.about().id) != 0 ||
          value->type != parameter.about().type) {
        throw bad_argument("value ", i, " is not a ", parameter.about().id, " of the declared type.");
      }
      parameter.set(*value);
      canonical += join(parameter.about().id, " = ", parameter.toml(), "\n");
    }
    Shapes shapes;
    shapes.x.assign(in.x_shape, in.x_shape + in.x_ndim);
    for (const int64_t extent : shapes.x) {
      if (extent < 1) {
        throw bad_argument("x has an axis of length ", extent, "; it must be at least 1.");
      }
    }
    shapes.y = next->configure(shapes.x);
    bool fits = shapes.y.size() <= UNCHANNEL_MAX_NDIM;
    for (const LatentBase* latent : next->latents) {
      fits = fits && latent->shape().size() <= UNCHANNEL_MAX_NDIM;
    }
    if (!fits) {
      throw bad_argument("y or a latent has more than ", UNCHANNEL_MAX_NDIM, " axes.");
    }

    // Nothing below can fail.
    me.active = std::move(next);
    me.shapes.x.swap(shapes.x);
    me.shapes.y.swap(shapes.y);
    me.canonical.swap(canonical);
    for (uint32_t i = 0; i < out.latent_count; ++i) {
      const LatentBase& latent = *me.active->latents[i];
      unchannel_latent_shape& shape = *out.latent_shapes[i];
      shape = {};
      shape.active = latent.active() ? 1 : 0;
      shape.ndim = static_cast<int32_t>(latent.shape().size());
      std::ranges::copy(latent.shape(), shape.extent);
    }
    result->y_ndim = static_cast<int32_t>(me.shapes.y.size());
    std::ranges::copy(me.shapes.y, result->y_shape);
    result->workspace_bytes = me.active->workspace.bytes;
    result->workspace_bytes_per_sample = me.active->workspace.bytes_per_sample;
    result->canonical = me.canonical.c_str();
  });
}

/// The table of an optional capability, or NULL when the class C has no such member.
template <class C>
const void* extension(std::string_view id) noexcept {
#define UNCHANNEL_SDK_EXTENSION(name, CallType, ID, V1_SIZE)                                   \
  if constexpr (requires(const C& c, const CallType& call) { c.name(call); }) {                \
    static constexpr unchannel_##name##_1 kTable{&batch_call<C, CallType, &C::name, V1_SIZE>}; \
    if (id == ID) {                                                                            \
      return &kTable;                                                                          \
    }                                                                                          \
  }
  UNCHANNEL_SDK_EXTENSION(lift, LiftCall, UNCHANNEL_LIFT_1, UNCHANNEL_LIFT_ARGS_V1_SIZE)
  UNCHANNEL_SDK_EXTENSION(mean, MeanCall, UNCHANNEL_MEAN_1, UNCHANNEL_MEAN_ARGS_V1_SIZE)
  UNCHANNEL_SDK_EXTENSION(vjp, VjpCall, UNCHANNEL_VJP_1, UNCHANNEL_VJP_ARGS_V1_SIZE)
  UNCHANNEL_SDK_EXTENSION(jvp, JvpCall, UNCHANNEL_JVP_1, UNCHANNEL_JVP_ARGS_V1_SIZE)
  UNCHANNEL_SDK_EXTENSION(adjoint, AdjointCall, UNCHANNEL_ADJOINT_1, UNCHANNEL_ADJOINT_ARGS_V1_SIZE)
  UNCHANNEL_SDK_EXTENSION(loglik, LoglikCall, UNCHANNEL_LOGLIK_1, UNCHANNEL_LOGLIK_ARGS_V1_SIZE)
#undef UNCHANNEL_SDK_EXTENSION
  if constexpr (TakesCuda<C>) {
    static constexpr unchannel_cuda_1 kTable{
        .operations = [](void* instance) { return cuda_operations(self<C>(instance).active.get()); },
        .prepare = [](void* instance, int32_t device) noexcept { return cuda_prepare(self<C>(instance), device); },
        .release =
            [](void* instance, int32_t device) noexcept {
              if (C* const active = self<C>(instance).active.get()) {
                active->cuda_release(device);
              }
            },
    };
    if (id == UNCHANNEL_CUDA_1) {
      return &kTable;
    }
  }
  return nullptr;
}

template <class C>
const void* offered(void* instance, const char* id) noexcept {
  if (id == nullptr) {
    return nullptr;
  }
  const Instance<C>& me = self<C>(instance);
  if constexpr (requires(const C& c) { c.offers(std::string_view()); }) {
    if (me.active && !me.active->offers(id)) {
      return nullptr;
    }
  }
  return extension<C>(id);
}

template <class C>
inline constexpr unchannel_core_1 kCore{
    .create = &create<C>,
    .destroy = &destroy<C>,
    .parameter_count = [](void* i) { return static_cast<uint32_t>(self<C>(i).schema.parameters.size()); },
    .parameter = [](void* i, uint32_t n) -> const unchannel_parameter* {
      auto& list = self<C>(i).schema.parameters;
      return n < list.size() ? &list[n]->about() : nullptr;
    },
    .latent_count = [](void* i) { return static_cast<uint32_t>(self<C>(i).schema.latents.size()); },
    .latent = [](void* i, uint32_t n) -> const unchannel_latent* {
      auto& list = self<C>(i).schema.latents;
      return n < list.size() ? &list[n]->about() : nullptr;
    },
    .configure = &configure<C>,
    .draw_latents = &batch_call<C, DrawCall, &C::draw_latents, UNCHANNEL_DRAW_LATENTS_ARGS_V1_SIZE>,
    .simulate = &batch_call<C, SimulateCall, &C::simulate, UNCHANNEL_SIMULATE_ARGS_V1_SIZE>,
    .get_extension = &offered<C>,
};

template <class C>
const void* table(const char* id) noexcept {
  return std::string_view(id) == UNCHANNEL_CORE_1 ? &kCore<C> : extension<C>(id);
}

template <class... Channels>
struct Module {
  static constexpr const unchannel_descriptor* kDescriptors[] = {&Channels::kDescriptor...};
  static constexpr const void* (*kTables[])(const char*) noexcept = {&table<Channels>...};
  static constexpr uint32_t kCount = sizeof...(Channels);
  static constexpr unchannel_module kModule{
      .abi_major = UNCHANNEL_ABI_MAJOR,
      .abi_minor = UNCHANNEL_ABI_MINOR,
      .init = [](const unchannel_host*) -> int32_t { return UNCHANNEL_OK; },
      .shutdown = [] {},
      .channel_count = [] { return kCount; },
      .channel_descriptor = [](uint32_t n) { return n < kCount ? kDescriptors[n] : nullptr; },
      .get_table = [](uint32_t n, const char* id) { return n < kCount && id != nullptr ? kTables[n](id) : nullptr; },
  };
};

}  // namespace detail
}  // namespace unchannel::sdk

/// Defines the entry of the library. Once per plugin, at the end of one source file, outside any namespace.
#define UNCHANNEL_MODULE(...) \
  extern "C" const unchannel_module* unchannel_entry(uint32_t, uint32_t) { return &unchannel::sdk::detail::Module<__VA_ARGS__>::kModule; }

#endif
