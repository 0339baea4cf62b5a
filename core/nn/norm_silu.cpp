#include "norm_silu.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "norm_kernel.hpp"

// Shape legend: B batch · P planes · S places of a sample · G groups
namespace unchannel {
namespace {

constexpr std::int64_t kVectorWidth = 256;  // columns that a loop should at least have

/// Values of planes [P] and of groups [G] of one sample, and how its memory is walked through.
struct Layout {
  std::int64_t batch, planes, places, groups;

  std::int64_t group_planes() const { return planes / groups; }
  double group_size() const { return static_cast<double>(group_planes() * places); }
  /// Places that one row holds, so that networks of few planes have long rows too.
  std::int64_t places_per_row() const {
    std::int64_t count = 1;
    while (places % (2 * count) == 0 && count * planes < kVectorWidth) count *= 2;
    return count;
  }
  NormRows rows() const { return {places / places_per_row(), planes * places_per_row(), planes * places_per_row()}; }
};

using Row = std::vector<float>;

/// Sums of the planes [P] out of those of a row's columns.
void fold(const Row& columns, std::int64_t planes, float* out_P) {
  std::copy_n(columns.begin(), planes, out_P);
  for (auto column = columns.begin() + planes; column != columns.end(); column += planes) {
    for (std::int64_t p = 0; p < planes; ++p) out_P[p] += column[p];
  }
}

/// out[c] = value(plane of column c)
template <class Value>
void spread(Row& out, std::int64_t planes, const Value& value) {
  for (std::int64_t p = 0; p < planes; ++p) out[static_cast<std::size_t>(p)] = static_cast<float>(value(p));
  for (std::size_t c = static_cast<std::size_t>(planes); c < out.size(); ++c) out[c] = out[c - static_cast<std::size_t>(planes)];
}

double group_sum(const Row& planes, std::int64_t group, std::int64_t group_planes) {
  double total = 0.0;
  for (std::int64_t p = group * group_planes; p < (group + 1) * group_planes; ++p) total += planes[static_cast<std::size_t>(p)];
  return total;
}

/// Parameters and statistics of one sample.
struct Affine {
  const float *weight_P, *bias_P, *scale_shift_P;  // the last may be null
  float *mean_G, *inverse_deviation_G;

  double scale(std::int64_t p) const { return scale_shift_P ? 1.0 + scale_shift_P[p] : 1.0; }
  double shift(std::int64_t p, std::int64_t planes) const { return scale_shift_P ? scale_shift_P[planes + p] : 0.0; }
};

/// One sample's scratch and passes.
template <class T>
class Sample {
 public:
  Sample(const Layout& layout, const Affine& affine)
      : layout_(layout), affine_(affine), kernel_(norm_kernel<T>()), rows_(layout.rows()) {
    const auto width = static_cast<std::size_t>(rows_.width);
    for (Row* row : {&centre_, &gain_, &shift_, &sum_, &product_}) row->resize(width);
    planes_.resize(static_cast<std::size_t>(layout.planes));
    products_.resize(static_cast<std::size_t>(layout.planes));
  }

  void forward(const T* x, T* y, double epsilon) {
    kernel_.sums(rows_, x, sum_.data());
    fold(sum_, layout_.planes, planes_.data());
    for (std::int64_t g = 0; g < layout_.groups; ++g) affine_.mean_G[g] = static_cast<float>(mean_of(planes_, g));
    set_centre();
    kernel_.squares(rows_, x, centre_.data(), sum_.data());
    fold(sum_, layout_.planes, planes_.data());
    for (std::int64_t g = 0; g < layout_.groups; ++g) {
      affine_.inverse_deviation_G[g] = static_cast<float>(1.0 / std::sqrt(mean_of(planes_, g) + epsilon));
    }
    set_affine();
    kernel_.apply(rows_, x, centre_.data(), gain_.data(), shift_.data(), y);
  }

  /// Gradients of x, and into rows of their own those of weight, bias [P] and scale_shift [2P] (null where there is none). dz: room for
  /// as many values as x has.
  void backward(const T* x, const T* dy, T* dx, float* dz, float* dweight_P, float* dbias_P, float* dscale_shift_P) {
    set_centre();
    set_affine();
    kernel_.backward_sums(rows_, x, dy, centre_.data(), gain_.data(), shift_.data(), dz, sum_.data(), product_.data());
    fold(sum_, layout_.planes, planes_.data());
    fold(product_, layout_.planes, products_.data());
    parameter_gradients(dweight_P, dbias_P, dscale_shift_P);
    // With v = weight (1 + scale) dz the gradient of the normalised values: dx = r (v − mean v − x̂ mean(v x̂)), means over the group.
    for (std::int64_t p = 0; p < layout_.planes; ++p) {
      planes_[index(p)] *= static_cast<float>(slope_of(p));
      products_[index(p)] *= static_cast<float>(slope_of(p));
    }
    spread(shift_, layout_.planes, [&](std::int64_t p) { return -deviation(p) * mean_of(planes_, group(p)); });
    spread(sum_, layout_.planes, [&](std::int64_t p) { return -deviation(p) * deviation(p) * deviation(p) * mean_of(products_, group(p)); });
    kernel_.backward_apply(rows_, x, dz, centre_.data(), gain_.data(), sum_.data(), shift_.data(), dx);
  }

 private:
  static std::size_t index(std::int64_t p) { return static_cast<std::size_t>(p); }
  std::int64_t group(std::int64_t p) const { return p / layout_.group_planes(); }
  double deviation(std::int64_t p) const { return affine_.inverse_deviation_G[group(p)]; }  // 1 / σ
  double slope_of(std::int64_t p) const { return affine_.weight_P[p] * affine_.scale(p); }
  double mean_of(const Row& planes, std::int64_t g) const { return group_sum(planes, g, layout_.group_planes()) / layout_.group_size(); }

  void set_centre() {
    spread(centre_, layout_.planes, [&](std::int64_t p) { return affine_.mean_G[group(p)]; });
  }

  void set_affine() {
    spread(gain_, layout_.planes, [&](std::int64_t p) { return deviation(p) * slope_of(p); });
    spread(shift_, layout_.planes, [&](std::int64_t p) { return affine_.bias_P[p] * affine_.scale(p) + affine_.shift(p, layout_.planes); });
  }

  void parameter_gradients(float* dweight_P, float* dbias_P, float* dscale_shift_P) const {
    for (std::int64_t p = 0; p < layout_.planes; ++p) {
      const double sum = planes_[index(p)], product = deviation(p) * products_[index(p)];
      dweight_P[p] = static_cast<float>(affine_.scale(p) * product);
      dbias_P[p] = static_cast<float>(affine_.scale(p) * sum);
      if (!dscale_shift_P) continue;
      dscale_shift_P[p] = static_cast<float>(affine_.weight_P[p] * product + affine_.bias_P[p] * sum);
      dscale_shift_P[layout_.planes + p] = static_cast<float>(sum);
    }
  }

  Layout layout_;
  Affine affine_;
  const NormKernel<T>& kernel_;
  NormRows rows_;
  Row centre_, gain_, shift_, sum_, product_, planes_, products_;
};

/// What both directions need, as plain memory.
struct Operands {
  Layout layout;
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
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t start = b * o.sample_size();
      Sample<T>(o.layout, o.affine(b)).forward(memory_of<T>(o.h_BPHW) + start, memory_of<T>(out) + start, epsilon);
    }
  });
  return out;
}

Operands operands_of(const at::Tensor& h_BPHW, const at::Tensor& weight_P, const at::Tensor& bias_P, const at::Tensor& scale_shift_BP,
                     std::int64_t groups) {
  Operands o;
  o.layout = {h_BPHW.size(0), h_BPHW.size(1), h_BPHW.size(2) * h_BPHW.size(3), groups};
  o.h_BPHW = h_BPHW.contiguous(at::MemoryFormat::ChannelsLast);
  o.weight_P = weight_P;
  o.bias_P = bias_P;
  if (scale_shift_BP.defined()) o.scale_shift_BP = scale_shift_BP.to(at::kFloat).contiguous();
  return o;
}

struct NormSilu : torch::autograd::Function<NormSilu> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& h_BPHW, const at::Tensor& weight_P,
                            const at::Tensor& bias_P, const std::optional<at::Tensor>& scale_shift_BP, std::int64_t groups, double epsilon) {
    Operands o = operands_of(h_BPHW, weight_P, bias_P, scale_shift_BP.value_or(at::Tensor()), groups);
    const at::Tensor out = run_forward(o, epsilon);
    context->save_for_backward({o.h_BPHW, weight_P, bias_P, scale_shift_BP.value_or(at::Tensor()), o.mean_BG, o.inverse_deviation_BG});
    context->saved_data["groups"] = groups;
    return out;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context, torch::autograd::tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    Operands o = operands_of(saved[0], saved[1], saved[2], saved[3], context->saved_data["groups"].toInt());
    o.mean_BG = saved[4];
    o.inverse_deviation_BG = saved[5];
    const at::Tensor dy = gradients[0].to(o.h_BPHW.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor dx = at::empty_like(o.h_BPHW);
    const std::int64_t planes = o.layout.planes;
    const at::Tensor dweight_BP = at::empty({o.layout.batch, planes}), dbias_BP = at::empty_like(dweight_BP);
    const at::Tensor dscale_shift_BP = o.scale_shift_BP.defined() ? at::empty_like(o.scale_shift_BP) : at::Tensor();
    for_ranges(o.h_BPHW, [&]<class T>(std::int64_t begin, std::int64_t end) {
      const auto dz = std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(o.sample_size()));
      for (std::int64_t b = begin; b < end; ++b) {
        const std::int64_t start = b * o.sample_size();
        float* scale_shift = dscale_shift_BP.defined() ? dscale_shift_BP.data_ptr<float>() + b * 2 * planes : nullptr;
        Sample<T>(o.layout, o.affine(b)).backward(memory_of<T>(o.h_BPHW) + start, memory_of<T>(dy) + start, memory_of<T>(dx) + start, dz.get(),
                                                  dweight_BP.data_ptr<float>() + b * planes, dbias_BP.data_ptr<float>() + b * planes, scale_shift);
      }
    });
    return {dx, dweight_BP.sum(0), dbias_BP.sum(0), saved[3].defined() ? dscale_shift_BP.to(saved[3].scalar_type()) : at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

/// For devices and types without a kernel here.
at::Tensor separate_operations(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm, const at::Tensor& scale_shift_BP) {
  at::Tensor inner = norm(h_BPHW);
  if (scale_shift_BP.defined()) {
    const std::vector<at::Tensor> parts = scale_shift_BP.unsqueeze(2).unsqueeze(3).chunk(2, 1);
    inner = at::addcmul(parts[1], inner, parts[0] + 1.0);
  }
  return at::silu(inner);
}

}  // namespace

at::Tensor norm_silu(const at::Tensor& h_BPHW, torch::nn::GroupNorm& norm, const at::Tensor& scale_shift_BP) {
  if (!h_BPHW.is_cpu() || (h_BPHW.scalar_type() != at::kFloat && h_BPHW.scalar_type() != at::kBFloat16)) {
    return separate_operations(h_BPHW, norm, scale_shift_BP);
  }
  const std::int64_t groups = norm->options.num_groups();
  const double epsilon = norm->options.eps();
  if (at::GradMode::is_enabled()) {
    const std::optional<at::Tensor> given = scale_shift_BP.defined() ? std::optional(scale_shift_BP) : std::nullopt;
    return NormSilu::apply(h_BPHW, norm->weight, norm->bias, given, groups, epsilon);
  }
  Operands o = operands_of(h_BPHW, norm->weight, norm->bias, scale_shift_BP, groups);
  return run_forward(o, epsilon);
}

}  // namespace unchannel
