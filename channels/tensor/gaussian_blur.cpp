#include <cmath>

#include "built_ins.hpp"
#include "describe.hpp"
#include "image_layout.hpp"
#include "linear_channel.hpp"
#include "padding.hpp"

// Shape legend: B batch · D signal dimensions flattened · P planes · H rows · W columns
namespace unchannel {
namespace {

/// exp(−k²/2σ²), k = 0 … radius, over its sum for k = −radius … radius.
std::vector<double> gaussian_taps(double sigma, std::int64_t radius) {
  std::vector<double> taps;
  double sum = 0;
  for (std::int64_t k = 0; k <= radius; ++k) {
    const auto distance = static_cast<double>(k);
    taps.push_back(k == 0 ? 1.0 : std::exp(-0.5 * distance * distance / (sigma * sigma)));
    sum += (k == 0 ? 1 : 2) * taps.back();
  }
  for (double& tap : taps) tap /= sum;
  return taps;
}

/// Along `dim` of a padded tensor: out[i] = Σ taps[|k|] padded[i + radius + k]. One product and one sum at a time, so that the bits of a
/// sample do not depend on the batch around it, as a convolution's may.
at::Tensor correlate(const at::Tensor& padded, std::int64_t dim, const std::vector<double>& taps) {
  const auto radius = static_cast<std::int64_t>(taps.size()) - 1;
  const std::int64_t extent = padded.size(dim) - 2 * radius;
  at::Tensor out = padded.narrow(dim, radius, extent).mul(taps[0]);
  for (std::int64_t k = 1; k <= radius; ++k) {
    out.add_(padded.narrow(dim, radius - k, extent).add(padded.narrow(dim, radius + k, extent)).mul_(taps[static_cast<std::size_t>(k)]));
  }
  return out;
}

class GaussianBlur final : public LinearChannel {
 public:
  explicit GaussianBlur(BuiltInSetup setup)
      : LinearChannel(setup, setup.real("noise_sigma")),
        layout_(ImageLayout::of(setup.shape, id())),
        radius_(static_cast<std::int64_t>(std::ceil(setup.real("truncate_sigmas") * setup.real("blur_sigma")))),
        taps_(gaussian_taps(setup.real("blur_sigma"), radius_)),
        boundary_(boundary_from(setup.text("boundary"))) {
    check_padding(id(), layout_.columns, radius_, boundary_);
    if (layout_.is_image) check_padding(id(), layout_.rows, radius_, boundary_);
  }

 private:
  at::Tensor apply(const at::Tensor& x_BD, const Latents&) const override {
    if (radius_ == 0) return x_BD;
    at::Tensor image = layout_.view(x_BD);
    for (const std::int64_t dim : axes()) image = correlate(pad(image, dim, radius_, boundary_), dim, taps_);
    return image.reshape(x_BD.sizes());
  }

  at::Tensor transposed(const at::Tensor& v_BD, const Latents&) const override {
    if (radius_ == 0) return v_BD;
    at::Tensor image = layout_.view(v_BD);
    // The kernel is symmetric: what an output gives to its padded inputs is a correlation of the output beyond all borders.
    for (const std::int64_t dim : axes()) {
      image = fold(correlate(pad(image, dim, 2 * radius_, Boundary::kZero), dim, taps_), dim, radius_, boundary_);
    }
    return image.reshape(v_BD.sizes());
  }

  std::vector<std::int64_t> axes() const {
    return layout_.is_image ? std::vector<std::int64_t>{kRowAxis, kColumnAxis} : std::vector<std::int64_t>{kColumnAxis};
  }

  ImageLayout layout_;
  std::int64_t radius_;
  std::vector<double> taps_;
  Boundary boundary_;
};

}  // namespace

ChannelDescription describe_gaussian_blur() {
  ChannelDescription channel = describe_built_in("gaussian_blur", "Gaussian blur and noise",
                                                 "y = G x + noise_sigma * n; G is separable with taps exp(-k^2 / (2 blur_sigma^2)), |k| <= "
                                                 "ceil(truncate_sigmas * blur_sigma), of sum 1.");
  add_real(channel, "blur_sigma", "pixels", "Standard deviation of the kernel; 0: no blur.", 1.0, 0, 64,
           UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN);
  add_real(channel, "truncate_sigmas", "blur_sigma", "Where the kernel ends.", 3.0, 0.5, 8);
  add_boundary(channel, "mirror");
  add_noise_sigma(channel, 0.1);
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_gaussian_blur(BuiltInSetup setup) { return std::make_unique<GaussianBlur>(std::move(setup)); }

}  // namespace unchannel
