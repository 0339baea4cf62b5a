#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>

#include "built_ins.hpp"
#include "describe.hpp"
#include "image_layout.hpp"
#include "linear_channel.hpp"
#include "tensor_checks.hpp"

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened · P planes · h, w rows and columns of y
namespace unchannel {
namespace {

/// Between the centres of `factor` times smaller pixels; beyond the outermost centres the border's value.
at::Tensor interpolated(const at::Tensor& image, std::int64_t dim, std::int64_t factor) {
  const std::int64_t extent = image.size(dim);
  std::vector<std::int64_t> before, after;
  std::vector<float> weight;  // of `after`
  for (std::int64_t i = 0; i < extent * factor; ++i) {
    const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(factor) - 0.5;
    const double floor = std::floor(place);
    before.push_back(std::max<std::int64_t>(0, static_cast<std::int64_t>(floor)));
    after.push_back(std::min(extent - 1, static_cast<std::int64_t>(floor) + 1));
    weight.push_back(static_cast<float>(place - floor));
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(image.dim()), 1);
  shape[static_cast<std::size_t>(dim)] = extent * factor;
  const auto index = [&](const std::vector<std::int64_t>& list) { return at::tensor(list).to(image.device()); };
  const at::Tensor from = image.index_select(dim, index(before));
  return image.index_select(dim, index(after)).sub_(from).mul_(at::tensor(weight).to(image.device()).view(shape)).add_(from);
}

class Downsample final : public LinearChannel {
 public:
  explicit Downsample(BuiltInSetup setup)
      : LinearChannel(setup, setup.real("noise_sigma")),
        layout_(ImageLayout::of(setup.shape, id())),
        factor_(setup.integer("factor")),
        row_factor_(layout_.is_image ? factor_ : 1),
        bilinear_(setup.text("lift") == "bilinear") {
    check<ConfigError>(layout_.rows % row_factor_ == 0 && layout_.columns % factor_ == 0,
                       "channel {}: factor = {} does not divide the signal's {} x {} pixels.", id(), factor_, layout_.rows,
                       layout_.columns);
    small_ = {layout_.planes, layout_.rows / row_factor_, layout_.columns / factor_, layout_.is_image};
    shape_ = setup.shape;
    shape_.back() = small_.columns;
    if (layout_.is_image) shape_[shape_.size() - 2] = small_.rows;
  }

  std::vector<std::int64_t> observation_shape() const override { return shape_; }

  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override {
    const at::Tensor y = observations(y_BM, -1, "y_BM");
    if (!bilinear_) return repeated(y);
    return interpolated(interpolated(small_.view(y), kRowAxis, row_factor_), kColumnAxis, factor_)
        .reshape({y.size(0), elements_of(signal_shape())});
  }

 private:
  at::Tensor apply(const at::Tensor& x_BD, const Latents&) const override {
    const at::Tensor blocks = x_BD.view({x_BD.size(0), small_.planes, small_.rows, row_factor_, small_.columns, factor_});
    at::Tensor sum;  // one element after the other, so that a sample's bits do not depend on the batch
    for (std::int64_t i = 0; i < row_factor_; ++i) {
      for (std::int64_t j = 0; j < factor_; ++j) {
        const at::Tensor part = blocks.select(5, j).select(3, i);
        sum = sum.defined() ? sum.add_(part) : part.clone();
      }
    }
    return sum.mul_(share()).reshape({x_BD.size(0), elements_of(shape_)});
  }

  at::Tensor transposed(const at::Tensor& v_BM, const Latents&) const override { return repeated(v_BM).mul_(share()); }

  /// Every observed pixel in all the pixels that it covers, [B, M] → [B, D].
  at::Tensor repeated(const at::Tensor& y_BM) const {
    const std::int64_t B = y_BM.size(0);
    return y_BM.view({B, small_.planes, small_.rows, 1, small_.columns, 1})
        .expand({B, small_.planes, small_.rows, row_factor_, small_.columns, factor_})
        .clone(at::MemoryFormat::Contiguous)
        .view({B, elements_of(signal_shape())});
  }

  double share() const { return 1.0 / static_cast<double>(row_factor_ * factor_); }

  ImageLayout layout_, small_;
  std::int64_t factor_, row_factor_;
  bool bilinear_;
  std::vector<std::int64_t> shape_;
};

}  // namespace

ChannelDescription describe_downsample() {
  ChannelDescription channel =
      describe_built_in("downsample", "Area average and noise",
                        "Each observed pixel is the average of factor x factor pixels (of factor elements of a signal with one axis) plus "
                        "noise_sigma * n. The observation has its own, smaller shape.");
  add_integer(channel, "factor", "pixels", "Side of the averaged squares; it divides the signal's sides.", 2, 1, 1024,
              UNCHANNEL_PARAMETER_CHANGES_SHAPES);
  add_choice(channel, "lift", "How an observation is brought to the signal's shape.", "bilinear", {"bilinear", "nearest"});
  add_noise_sigma(channel, 0.1);
  channel.capabilities = {UNCHANNEL_LIFT_1, UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_downsample(BuiltInSetup setup) { return std::make_unique<Downsample>(std::move(setup)); }

}  // namespace unchannel
