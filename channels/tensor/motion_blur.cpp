#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unchannel/base/error.hpp>

#include "built_ins.hpp"
#include "describe.hpp"
#include "image_layout.hpp"
#include "linear_channel.hpp"
#include "padding.hpp"
#include "philox_tensors.hpp"

// Shape legend: B batch · D signal dimensions flattened · P planes · H rows · W columns · K kernel size = length
namespace unchannel {
namespace {

/// Adds `length` points one pixel apart on a line through the centre, each shared bilinearly by its four neighbours, to a kernel [K, K].
void add_line(double direction, std::int64_t length, float* kernel_KK) {
  const auto centre = static_cast<double>(length / 2);
  for (std::int64_t point = 0; point < length; ++point) {
    const double along = static_cast<double>(point) - centre;
    const double row = centre - along * std::sin(direction), column = centre + along * std::cos(direction);
    // At the border of the kernel the weight of the second neighbour, outside, is zero.
    const auto top = std::min(static_cast<std::int64_t>(std::floor(row)), length - 2);
    const auto left = std::min(static_cast<std::int64_t>(std::floor(column)), length - 2);
    const double down = row - static_cast<double>(top), right = column - static_cast<double>(left);
    const double share = 1.0 / static_cast<double>(length);
    float* at = kernel_KK + top * length + left;
    at[0] += static_cast<float>(share * (1 - down) * (1 - right));
    at[1] += static_cast<float>(share * (1 - down) * right);
    at[length] += static_cast<float>(share * down * (1 - right));
    at[length + 1] += static_cast<float>(share * down * right);
  }
}

/// out[b] = Σ kernel[b, i, j] padded[b, :, i …, j …]: one product and one sum at a time, see gaussian_blur.cpp.
at::Tensor correlate(const at::Tensor& padded_BPHW, const at::Tensor& kernel_BKK) {
  const std::int64_t size = kernel_BKK.size(1);
  const std::int64_t rows = padded_BPHW.size(kRowAxis) - size + 1, columns = padded_BPHW.size(kColumnAxis) - size + 1;
  at::Tensor out = at::zeros({padded_BPHW.size(0), padded_BPHW.size(1), rows, columns}, padded_BPHW.options());
  at::Tensor term = at::empty_like(out);
  for (std::int64_t i = 0; i < size; ++i) {
    for (std::int64_t j = 0; j < size; ++j) {
      const at::Tensor window = padded_BPHW.narrow(kRowAxis, i, rows).narrow(kColumnAxis, j, columns);
      at::mul_out(term, window, kernel_BKK.select(1, i).select(1, j).view({-1, 1, 1, 1}));
      out.add_(term);
    }
  }
  return out;
}

class MotionBlur final : public LinearChannel {
 public:
  explicit MotionBlur(BuiltInSetup setup)
      : LinearChannel(setup, setup.real("noise_sigma"), {{}}),
        layout_(ImageLayout::of(setup.shape, id(), /*needs_image=*/true)),
        length_(setup.integer("length")),
        boundary_(boundary_from(setup.text("boundary"))) {
    check<ConfigError>(length_ % 2 == 1, "channel {}: parameter length must be odd, so that the kernel has a centre; it is {}.", id(),
                       length_);
    check_padding(id(), layout_.rows, length_ / 2, boundary_);
    check_padding(id(), layout_.columns, length_ / 2, boundary_);
  }

 private:
  at::Tensor draw(std::size_t, RandomKey key, const at::Tensor& ids_B) const override {
    return uniforms(key, ids_B, 1, ids_B.device()).mul_(std::numbers::pi).view({-1});
  }

  at::Tensor kernels(const Latents& latents, std::int64_t count, c10::Device device) const {
    // On the CPU and in double: sine and cosine of a batch may depend on an element's place in it.
    const at::Tensor direction_B = latent(0, latents, count, c10::Device(c10::kCPU));
    check<DataError>(direction_B.isfinite().all().item<bool>(), "channel {}: latent 'direction' has values that are not finite.", id());
    at::Tensor kernel_BKK = at::zeros({count, length_, length_}, at::kFloat);
    const auto* direction = direction_B.const_data_ptr<float>();
    auto* kernel = kernel_BKK.mutable_data_ptr<float>();
    for (std::int64_t b = 0; b < count; ++b) add_line(direction[b], length_, kernel + b * length_ * length_);
    return kernel_BKK.to(device);
  }

  at::Tensor apply(const at::Tensor& x_BD, const Latents& latents) const override {
    const at::Tensor wide = pad(layout_.view(x_BD), kRowAxis, length_ / 2, boundary_);
    return correlate(pad(wide, kColumnAxis, length_ / 2, boundary_), kernels(latents, x_BD.size(0), x_BD.device())).reshape(x_BD.sizes());
  }

  at::Tensor transposed(const at::Tensor& v_BD, const Latents& latents) const override {
    const std::int64_t reach = length_ / 2;
    const at::Tensor wide = pad(pad(layout_.view(v_BD), kRowAxis, 2 * reach, Boundary::kZero), kColumnAxis, 2 * reach, Boundary::kZero);
    const at::Tensor turned_BKK = kernels(latents, v_BD.size(0), v_BD.device()).flip({1, 2});
    return fold(fold(correlate(wide, turned_BKK), kColumnAxis, reach, boundary_), kRowAxis, reach, boundary_).reshape(v_BD.sizes());
  }

  ImageLayout layout_;
  std::int64_t length_;
  Boundary boundary_;
};

}  // namespace

ChannelDescription describe_motion_blur() {
  ChannelDescription channel = describe_built_in(
      "motion_blur", "Motion blur and noise",
      "y = M x + noise_sigma * n; M averages `length` points one pixel apart on a straight line through the pixel, in the "
      "sample's own direction, with bilinear interpolation.");
  add_integer(channel, "length", "pixels", "Number of points on the line, odd.", 7, 3, 127);
  add_boundary(channel, "zero");
  add_noise_sigma(channel, 0.1);
  add_latent(channel, "direction", "rad", "Angle of the line with the rows, counted towards the top of the image.", "U(0, pi)",
             UNCHANNEL_LATENT_F32);
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_motion_blur(BuiltInSetup setup) { return std::make_unique<MotionBlur>(std::move(setup)); }

}  // namespace unchannel
