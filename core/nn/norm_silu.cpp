#include "norm_silu.hpp"

#include <ATen/Parallel.h>

#include <memory>

#include "norm_sample.hpp"

// Shape legend: B batch · P planes · H, W height and width · G groups
namespace unchannel {
namespace {

/// What both directions need, as plain memory.
struct Operands {
  Layout layout;
  bool silu;
  at::Tensor h_BPHW, weight_P, bias_P, scale_shift_BP, mean_BG, inverse_deviation_BG;

  Affine affine(std::int64_t b) const {
    return {weight_P.const_data_ptr<float>(), bias_P.const_data_ptr<float>(),
            scale_shift_BP.defined() ? scale_shift_BP.const_data_ptr<float>() + b * 2 * layout.planes : nullptr,
            mean_BG.data_ptr<float>() + b * layout.groups, inverse_deviation_BG.data_ptr<float>() + b * layout.groups};
  }
  std::int64_t sample_size() const { return layout.planes * layout.places; }
};

template <class T>
T* memory_of(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

/// Calls run.template operator()<T>(begin, end) for ranges of samples, T being the kernel's type of h.
template <class Run>
void for_ranges(const at::Tensor& h_BPHW, const Run& run) {
  at::parallel_for(0, h_BPHW.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    if (h_BPHW.scalar_type() == at::kFloat) run.template operator()<float>(begin, end);
    else run.template operator()<Bfloat16Bits>(begin, end);
  });
}

at::Tensor run_forward(Operands& o, double epsilon) {
  const auto statistics = at::TensorOptions(at::kFloat);
  o.mean_BG = at::empty({o.layout.batch, o.layout.groups}, statistics);
  o.inverse_deviation_BG = at::empty({o.layout.batch, o.layout.groups}, statistics);
  at::Tensor out = at::empty_like(o.h_BPHW);
  for_ranges(o.h_BPHW, [&]<class T>(std::int64_t begin, std::int64_t end) {
    SamplePasses<T> passes(o.layout, o.silu);
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t start = b * o.sample_size();
      passes.forward(o.affine(b), memory_of<T>(o.h_BPHW) + start, memory_of<T>(out) + start, epsilon);
    }
  });
  return out;
}

/// A gradient that arrives from elsewhere: rows of P neighbouring values with one stride between places, as slices of wider images have.
class Addend {
 public:
  /// gradient_BPHW may be undefined.
  Addend(const at::Tensor& gradient_BPHW, at::ScalarType type) {
    if (!gradient_BPHW.defined()) return;
    rows_BPHW_ = gradient_BPHW.to(type);
    stride_ = rows_BPHW_.stride(3);
    if (!has_stride(stride_)) {
      rows_BPHW_ = rows_BPHW_.contiguous(at::MemoryFormat::ChannelsLast);
      stride_ = rows_BPHW_.size(1);
    }
  }

  template <class T>
  NormAddend<T> sample(std::int64_t b) const {
    if (!rows_BPHW_.defined()) return {};
    return {static_cast<const T*>(rows_BPHW_.const_data_ptr()) + b * rows_BPHW_.size(2) * rows_BPHW_.size(3) * stride_, stride_};
  }

 private:
  bool has_stride(std::int64_t stride) const {
    const std::int64_t row = rows_BPHW_.size(3) * stride;
    return stride >= rows_BPHW_.size(1) && rows_BPHW_.strides() == at::IntArrayRef({rows_BPHW_.size(2) * row, 1, row, stride});
  }

  at::Tensor rows_BPHW_;
  std::int64_t stride_ = 0;
};

/// Gradients of one backward pass.
struct Gradients {
  at::Tensor dy_BPHW, dweight_BP, dbias_BP, dscale_shift_BP;
  std::vector<at::Tensor> dx;  // of the whole, or of its two parts
  Addend first, second;

  template <class T>
  PlanesPart<T> part(std::size_t index, std::int64_t b, std::int64_t places) const {
    if (index >= dx.size()) return {};
    const std::int64_t planes = dx[index].size(1);
    return {memory_of<T>(dx[index]) + b * planes * places, planes};
  }
};

void run_backward(const Operands& o, const Gradients& g) {
  const std::int64_t planes = o.layout.planes, places = o.layout.places;
  for_ranges(o.h_BPHW, [&]<class T>(std::int64_t begin, std::int64_t end) {
    SamplePasses<T> passes(o.layout, o.silu);
    const auto dz = std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(o.sample_size()));
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t start = b * o.sample_size();
      const SampleGradient<T> sample = {memory_of<T>(o.h_BPHW) + start,
                                        memory_of<T>(g.dy_BPHW) + start,
                                        {g.first.sample<T>(b), g.second.sample<T>(b)},
                                        {g.part<T>(0, b, places), g.part<T>(1, b, places)},
                                        dz.get(),
                                        g.dweight_BP.data_ptr<float>() + b * planes,
                                        g.dbias_BP.data_ptr<float>() + b * planes,
                                        g.dscale_shift_BP.defined() ? g.dscale_shift_BP.data_ptr<float>() + b * 2 * planes : nullptr};
      passes.backward(o.affine(b), sample);
    }
  });
}

struct Settings {
  std::int64_t groups;
  double epsilon;
  bool silu;
};

Operands operands_of(const at::Tensor& h_BPHW, const at::Tensor& weight_P, const at::Tensor& bias_P, const at::Tensor& scale_shift_BP,
                     const Settings& settings) {
  Operands o;
  o.layout = {h_BPHW.size(0), h_BPHW.size(1), h_BPHW.size(2) * h_BPHW.size(3), settings.groups};
  o.silu = settings.silu;
  o.h_BPHW = h_BPHW.contiguous(at::MemoryFormat::ChannelsLast);
  o.weight_P = weight_P;
  o.bias_P = bias_P;
  if (scale_shift_BP.defined()) o.scale_shift_BP = scale_shift_BP.to(at::kFloat).contiguous();
  return o;
}

/// What a node gives besides the normalised tensor: nothing, its input twice, or its two inputs joined. The gradients of these meet that of the
/// normalised tensor inside the backward pass.
enum class Further { kNothing, kInputTwice, kJoined };

struct NormFunction : torch::autograd::Function<NormFunction> {
  static torch::autograd::tensor_list forward(torch::autograd::AutogradContext* context, const at::Tensor& given_BPHW,
                                              const std::optional<at::Tensor>& second_BPHW, const at::Tensor& weight_P, const at::Tensor& bias_P,
                                              const std::optional<at::Tensor>& scale_shift_BP, Settings settings, Further further) {
    const at::Tensor h_BPHW = further == Further::kJoined ? at::cat({given_BPHW, *second_BPHW}, 1) : given_BPHW;
    Operands o = operands_of(h_BPHW, weight_P, bias_P, scale_shift_BP.value_or(at::Tensor()), settings);
    const at::Tensor out = run_forward(o, settings.epsilon);
    context->save_for_backward({o.h_BPHW, weight_P, bias_P, scale_shift_BP.value_or(at::Tensor()), o.mean_BG, o.inverse_deviation_BG});
    context->set_materialize_grads(false);
    context->saved_data["groups"] = settings.groups;
    context->saved_data["silu"] = settings.silu;
    context->saved_data["first_planes"] = further == Further::kJoined ? given_BPHW.size(1) : 0;
    if (further == Further::kJoined) return {out, o.h_BPHW};
    if (further == Further::kInputTwice) return {out, given_BPHW, given_BPHW};
    return {out};
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context, torch::autograd::tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const Settings settings = {context->saved_data["groups"].toInt(), 0.0, context->saved_data["silu"].toBool()};
    Operands o = operands_of(saved[0], saved[1], saved[2], saved[3], settings);
    o.mean_BG = saved[4];
    o.inverse_deviation_BG = saved[5];
    const at::ScalarType type = o.h_BPHW.scalar_type();
    gradients.resize(3);
    Gradients g = {.dy_BPHW = gradients[0].defined() ? gradients[0].to(type).contiguous(at::MemoryFormat::ChannelsLast) : at::zeros_like(o.h_BPHW),
                   .dweight_BP = at::empty({o.layout.batch, o.layout.planes}),
                   .dbias_BP = at::empty({o.layout.batch, o.layout.planes}),
                   .dscale_shift_BP = o.scale_shift_BP.defined() ? at::empty_like(o.scale_shift_BP) : at::Tensor(),
                   .dx = room_for_gradients(o.h_BPHW, context->saved_data["first_planes"].toInt()),
                   .first = Addend(gradients[1], type),
                   .second = Addend(gradients[2], type)};
    run_backward(o, g);
    g.dx.resize(2);
    return {g.dx[0], g.dx[1], g.dweight_BP.sum(0), g.dbias_BP.sum(0),
            saved[3].defined() ? g.dscale_shift_BP.to(saved[3].scalar_type()) : at::Tensor(), at::Tensor(), at::Tensor()};
  }

 private:
  static std::vector<at::Tensor> room_for_gradients(const at::Tensor& h_BPHW, std::int64_t first_planes) {
    if (first_planes == 0) return {at::empty_like(h_BPHW)};
    const auto part = [&](std::int64_t planes) {
      return at::empty({h_BPHW.size(0), planes, h_BPHW.size(2), h_BPHW.size(3)}, h_BPHW.options(), at::MemoryFormat::ChannelsLast);
    };
    return {part(first_planes), part(h_BPHW.size(1) - first_planes)};
  }
};

/// For devices and types without a kernel here.
at::Tensor separate_operations(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm, const at::Tensor& scale_shift_BP, bool silu) {
  at::Tensor inner = norm(h_BPHW);
  if (scale_shift_BP.defined()) {
    const std::vector<at::Tensor> parts = scale_shift_BP.unsqueeze(2).unsqueeze(3).chunk(2, 1);
    inner = at::addcmul(parts[1], inner, parts[0] + 1.0);
  }
  return silu ? at::silu(inner) : inner;
}

/// The normalised tensor, then what `further` asks for. second_BPHW and scale_shift_BP may be undefined.
torch::autograd::tensor_list normalise(const at::Tensor& given_BPHW, const at::Tensor& second_BPHW, torch::nn::GroupNorm& norm,
                                       const at::Tensor& scale_shift_BP, bool silu, Further further) {
  const auto optional = [](const at::Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; };
  const bool has_kernel = given_BPHW.is_cpu() && (given_BPHW.scalar_type() == at::kFloat || given_BPHW.scalar_type() == at::kBFloat16) &&
                          (!second_BPHW.defined() || second_BPHW.scalar_type() == given_BPHW.scalar_type());
  const Settings settings = {norm->options.num_groups(), norm->options.eps(), silu};
  if (has_kernel && at::GradMode::is_enabled()) {
    return NormFunction::apply(given_BPHW, optional(second_BPHW), norm->weight, norm->bias, optional(scale_shift_BP), settings, further);
  }
  const at::Tensor h_BPHW = further == Further::kJoined ? at::cat({given_BPHW, second_BPHW}, 1) : given_BPHW;
  if (!has_kernel) return {separate_operations(h_BPHW, norm, scale_shift_BP, silu), h_BPHW, h_BPHW};
  Operands o = operands_of(h_BPHW, norm->weight, norm->bias, scale_shift_BP, settings);
  return {run_forward(o, settings.epsilon), h_BPHW, h_BPHW};
}

}  // namespace

at::Tensor norm_silu(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm, const at::Tensor& scale_shift_BP) {
  return normalise(h_BPHW, {}, norm, scale_shift_BP, true, Further::kNothing)[0];
}

SharedNorm norm_silu_shared(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm) {
  const auto all = normalise(h_BPHW, {}, norm, {}, true, Further::kInputTwice);
  return {all[0], all[1], all[2]};
}

SharedNorm norm_shared(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm) {
  const auto all = normalise(h_BPHW, {}, norm, {}, false, Further::kInputTwice);
  return {all[0], all[1], all[2]};
}

SharedNorm norm_silu_joined(const at::Tensor& first_BPHW, const at::Tensor& second_BPHW, torch::nn::GroupNorm& norm) {
  const auto all = normalise(first_BPHW, second_BPHW, norm, {}, true, Further::kJoined);
  return {all[0], all[1], {}};
}

}  // namespace unchannel
