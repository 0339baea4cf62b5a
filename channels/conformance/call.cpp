#include "call.hpp"

#include <unchannel/random.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "cuda_call.hpp"
#include "step.hpp"

namespace unchannel::conformance {
namespace {

constexpr std::size_t kTailBytes = 64;
constexpr unsigned char kPoison = 0xDB;

/// Builds what one call is given and takes away what it wrote.
class Frame {
 public:
  Frame(const Instance& instance, Operation operation, const Batch& batch, const CallOptions& options)
      : instance_(instance),
        layout_(options.layout ? *options.layout : instance.layout()),
        operation_(operation),
        batch_(batch),
        options_(options),
        memory_(options.memory ? *options.memory : heap_) {}

  const unchannel_tensor* in(const std::string& name, const void* data, std::size_t bytes, const ChannelShape& shape,
                             unchannel_dtype type) {
    if (options_.without_input && std::exchange(first_input_, false)) return nullptr;
    return tensor(data_in(name, data, bytes), shape, type, 0);
  }
  const unchannel_tensor* in_x(const std::string& name, const std::vector<float>& x) {
    return in(name, x.data(), x.size() * sizeof(float), layout_.x_shape, kFloat32);
  }
  const unchannel_tensor* in_y(const std::string& name, const std::vector<float>& y) {
    return in(name, y.data(), y.size() * sizeof(float), layout_.y_shape, kFloat32);
  }
  const unchannel_tensor* out(const std::string& name, const ChannelShape& shape, std::int64_t size, unchannel_dtype type = kFloat32) {
    void* data = add_output(name, size * (type.bits / 8), type.code == UNCHANNEL_DTYPE_FLOAT, type.bits / 8u);
    return tensor(data, shape, type, std::exchange(extra_, 0));
  }
  const unchannel_tensor* out_x(const std::string& name) { return out(name, layout_.x_shape, layout_.x_size); }
  const unchannel_tensor* out_y(const std::string& name) { return out(name, layout_.y_shape, layout_.y_size); }
  double* out_doubles(const std::string& name) { return static_cast<double*>(add_output(name, sizeof(double), false, sizeof(double))); }

  /// The latents as inputs; `visible_only` leaves hidden ones out.
  const unchannel_tensor* const* in_latents(bool visible_only) {
    for (std::size_t i = 0; i < batch_.latents.size(); ++i) {
      const LatentDescription& latent = instance_.subject().description().latents[i];
      const bool given = layout_.latents[i].active && (latent.visible() || !visible_only);
      latents_.push_back(given ? tensor(data_in("latent " + latent.id, batch_.latents[i].data(), batch_.latents[i].size()),
                                        layout_.latents[i].shape, latent_dtype(latent.dtype), 0)
                               : nullptr);
    }
    return list();
  }
  /// The latents that can be drawn as outputs; says whether one of them depends on x.
  const unchannel_tensor* const* out_latents(bool& needs_x) {
    for (std::size_t i = 0; i < batch_.latents.size(); ++i) {
      const LatentDescription& latent = instance_.subject().description().latents[i];
      const LatentLayout& layout = layout_.latents[i];
      const bool drawn = layout.active && !latent.data_only();
      needs_x = needs_x || (drawn && latent.depends_on_signal());
      latents_.push_back(drawn ? out("latent " + latent.id, layout.shape, layout.size, latent_dtype(latent.dtype)) : nullptr);
    }
    return list();
  }
  std::uint32_t latent_count() const { return static_cast<std::uint32_t>(latents_.size()); }

  const unchannel_batch* batch(std::uint32_t purpose) {
    const auto count = static_cast<std::size_t>(batch_.count());
    sample_status_ = static_cast<std::int32_t*>(data_out("sample_status", count * sizeof(std::int32_t), 0, sizeof(std::int32_t)));
    unchannel_batch batch{};
    batch.struct_size = sizeof batch;
    batch.key = unchannel_derive(batch_.key, unchannel_tag(UNCHANNEL_TAG_PURPOSE, purpose));
    batch.ids = static_cast<const std::uint64_t*>(data_in("ids", batch_.ids.data(), count * sizeof(std::uint64_t)));
    batch.count = batch_.count();
    batch.sample_status = sample_status_;
    batch.workspace_bytes = layout_.workspace_bytes + count * layout_.workspace_bytes_per_sample;
    if (batch.workspace_bytes > 0) batch.workspace = data_out("workspace", batch.workspace_bytes, kPoison, 64);
    batch.device = where();
    batch.stream = options_.cuda ? options_.cuda->stream() : nullptr;
    return present("batch", batch, options_.batch_form);
  }

  /// The struct in memory of its own, in the form that is wanted.
  template <class Struct>
  const Struct* present(const std::string& name, Struct args, StructForm form) {
    static const int kChain = 0;
    std::array<unsigned char, sizeof(Struct) + kTailBytes> bytes;
    bytes.fill(kPoison);
    if (form == StructForm::longer) args.struct_size = bytes.size();
    if (form == StructForm::too_short) args.struct_size = sizeof args - 8;  // v1.0 is all there is, so one field less is too few
    if (form == StructForm::chained) args.next = &kChain;
    std::memcpy(bytes.data(), &args, sizeof args);
    return static_cast<const Struct*>(memory_.input(name, bytes.data(), form == StructForm::longer ? bytes.size() : sizeof args));
  }

  template <class Function, class Args>
  CallResult finish(Function function, const unchannel_batch* batch, const Args& args) {
    const Args* presented = present("args", args, options_.args_form);
    memory_.seal();
    take_plugin_error();
    if (options_.cuda) options_.cuda->begin();
    set_step(operation_name(operation_));
    CallResult result;
    result.status = function(instance_.raw(), batch, presented);
    set_step(kOurselves);
    result.error = take_plugin_error();
    if (options_.cuda) options_.cuda->end();
    result.sample_status.resize(static_cast<std::size_t>(batch_.count()));
    fetch(sample_status_, result.sample_status.data(), result.sample_status.size() * sizeof(std::int32_t));
    for (std::size_t i = 0; i < outputs_.size(); ++i) fetch(output_data_[i], outputs_[i].bytes.data(), outputs_[i].bytes.size());
    result.outputs = std::move(outputs_);
    return result;
  }

 private:
  // Data for the plugin; everything else it is given (structs, shapes, lists) lies in CPU memory always.
  unchannel_device where() const { return options_.cuda ? CudaDevice::kWhere : unchannel_device{UNCHANNEL_DEVICE_CPU, 0}; }
  void* data_in(const std::string& name, const void* from, std::size_t bytes) {
    return options_.cuda ? options_.cuda->input(from, bytes) : memory_.input(name, from, bytes);
  }
  void* data_out(const std::string& name, std::size_t bytes, unsigned char fill, std::size_t alignment) {
    return options_.cuda ? options_.cuda->output(bytes, fill) : memory_.output(name, bytes, fill, alignment);
  }
  void fetch(const void* from, void* to, std::size_t bytes) const {
    if (options_.cuda) {
      options_.cuda->fetch(from, to, bytes);
    } else if (bytes > 0) {
      std::memcpy(to, from, bytes);
    }
  }

  const unchannel_tensor* const* list() {
    if (latents_.empty()) return nullptr;
    return static_cast<const unchannel_tensor* const*>(memory_.input("latents", latents_.data(), latents_.size() * sizeof latents_[0]));
  }

  void* add_output(const std::string& name, std::int64_t row_bytes, bool is_float, std::size_t alignment) {
    Output output;
    output.name = name;
    output.row_bytes = row_bytes;
    output.is_float = is_float;
    output.bytes.resize(static_cast<std::size_t>(row_bytes * batch_.count()));
    void* data = data_out(name, output.bytes.size(), options_.fill, alignment);
    outputs_.push_back(std::move(output));
    output_data_.push_back(data);
    return data;
  }

  const unchannel_tensor* tensor(void* data, const ChannelShape& shape, unchannel_dtype type, std::int64_t extra) {
    ChannelShape full = {batch_.count()};
    full.insert(full.end(), shape.begin(), shape.end());
    full.back() += extra;
    ChannelShape strides(full.size());
    std::int64_t stride = 1;
    for (std::size_t axis = full.size(); axis-- > 0;) {
      strides[axis] = stride;
      stride *= full[axis];
    }
    unchannel_tensor tensor{};
    tensor.data = data;
    tensor.device = where();
    tensor.ndim = static_cast<std::int32_t>(full.size());
    tensor.dtype = type;
    const std::size_t bytes = full.size() * sizeof(std::int64_t);
    tensor.shape = static_cast<std::int64_t*>(memory_.input("a shape", full.data(), bytes));
    tensor.strides = static_cast<std::int64_t*>(memory_.input("strides", strides.data(), bytes));
    return static_cast<const unchannel_tensor*>(memory_.input("a tensor struct", &tensor, sizeof tensor));
  }

  const Instance& instance_;
  const Layout& layout_;
  Operation operation_;
  const Batch& batch_;
  const CallOptions& options_;
  HeapMemory heap_;
  Memory& memory_;
  bool first_input_ = true;
  std::int64_t extra_ = options_.output_extra;
  std::int32_t* sample_status_ = nullptr;
  std::vector<const unchannel_tensor*> latents_;
  std::vector<Output> outputs_;
  std::vector<void*> output_data_;
};

template <class Table>
const Table& table(const Instance& instance, Operation operation) {
  const auto* found = instance.extension<Table>(operation_extension(operation));
  check<CheckFailed>(found != nullptr, "get_extension gives '{}' no longer.", operation_extension(operation));
  return *found;
}

template <class Args>
Args begin(Frame& frame, bool visible_only = false) {
  Args args{};
  args.struct_size = sizeof args;
  args.latents = frame.in_latents(visible_only);
  args.latent_count = frame.latent_count();
  return args;
}

CallResult call_draw_latents(const Instance& instance, Frame& frame, const Batch& batch) {
  unchannel_draw_latents_args args{};
  args.struct_size = sizeof args;
  bool needs_x = false;
  args.latents = frame.out_latents(needs_x);
  args.latent_count = frame.latent_count();
  if (needs_x) args.x = frame.in_x("x", batch.x);
  return frame.finish(instance.subject().core().draw_latents, frame.batch(UNCHANNEL_PURPOSE_LATENTS), args);
}

CallResult call_simulate(const Instance& instance, Frame& frame, const Batch& batch) {
  auto args = begin<unchannel_simulate_args>(frame);
  args.x = frame.in_x("x", batch.x);
  args.y = frame.out_y("y");
  return frame.finish(instance.subject().core().simulate, frame.batch(UNCHANNEL_PURPOSE_SIMULATE), args);
}

CallResult call_lift(const Instance& instance, Frame& frame, const Batch& batch) {
  auto args = begin<unchannel_lift_args>(frame, true);
  args.y = frame.in_y("y", batch.y);
  args.lifted = frame.out_x("lifted");
  return frame.finish(table<unchannel_lift_1>(instance, Operation::lift).lift, frame.batch(0), args);
}

CallResult call_mean(const Instance& instance, Frame& frame, const Batch& batch) {
  auto args = begin<unchannel_mean_args>(frame);
  args.x = frame.in_x("x", batch.x);
  args.mean = frame.out_y("mean");
  return frame.finish(table<unchannel_mean_1>(instance, Operation::mean).mean, frame.batch(0), args);
}

CallResult call_vjp(const Instance& instance, Frame& frame, const Batch& batch) {
  auto args = begin<unchannel_vjp_args>(frame);
  args.x = frame.in_x("x", batch.x);
  args.cotangent = frame.in_y("cotangent", batch.cotangent);
  args.gradient = frame.out_x("gradient");
  return frame.finish(table<unchannel_vjp_1>(instance, Operation::vjp).vjp, frame.batch(0), args);
}

CallResult call_jvp(const Instance& instance, Frame& frame, const Batch& batch) {
  auto args = begin<unchannel_jvp_args>(frame);
  args.x = frame.in_x("x", batch.x);
  args.tangent = frame.in_x("tangent", batch.tangent);
  args.derivative = frame.out_y("derivative");
  return frame.finish(table<unchannel_jvp_1>(instance, Operation::jvp).jvp, frame.batch(0), args);
}

CallResult call_adjoint(const Instance& instance, Frame& frame, const Batch& batch) {
  auto args = begin<unchannel_adjoint_args>(frame);
  args.y = frame.in_y("y", batch.cotangent);
  args.x = frame.out_x("x");
  return frame.finish(table<unchannel_adjoint_1>(instance, Operation::adjoint).adjoint, frame.batch(0), args);
}

CallResult call_loglik(const Instance& instance, Frame& frame, const Batch& batch) {
  auto args = begin<unchannel_loglik_args>(frame);
  args.y = frame.in_y("y", batch.y);
  args.x = frame.in_x("x", batch.x);
  args.gradient = frame.out_x("gradient");
  args.loglik = frame.out_doubles("loglik");
  return frame.finish(table<unchannel_loglik_1>(instance, Operation::loglik).loglik, frame.batch(0), args);
}

}  // namespace

CallResult call(const Instance& instance, Operation operation, const Batch& batch, const CallOptions& options) {
  Frame frame(instance, operation, batch, options);
  switch (operation) {
    case Operation::draw_latents:
      return call_draw_latents(instance, frame, batch);
    case Operation::simulate:
      return call_simulate(instance, frame, batch);
    case Operation::lift:
      return call_lift(instance, frame, batch);
    case Operation::mean:
      return call_mean(instance, frame, batch);
    case Operation::vjp:
      return call_vjp(instance, frame, batch);
    case Operation::jvp:
      return call_jvp(instance, frame, batch);
    case Operation::adjoint:
      return call_adjoint(instance, frame, batch);
    case Operation::loglik:
      return call_loglik(instance, frame, batch);
  }
  throw Error("unknown operation");
}

}  // namespace unchannel::conformance
