#pragma once
// What the tomography tests share: the plugin through the plain driver, sinograms of phantoms, and norms.

#include <unchannel/random.h>

#include <algorithm>

#include "phantoms.hpp"
#include "plugin_driver.hpp"

namespace unchannel::test {

inline const std::string kTomography = UNCHANNEL_BINARY_DIR "/plugins/tomography.so";

inline Array<float> one(std::vector<int64_t> shape, std::vector<float> values) {
  Array<float> a(std::move(shape));
  a.values = std::move(values);
  return a;
}

inline Array<float> random_array(uint64_t id, std::vector<int64_t> shape, float scale = 1, float shift = 0) {
  Array<float> a(std::move(shape));
  unchannel_normal_fill(77, id, 0, a.values.size(), a.values.data());
  for (float& value : a.values) {
    value = shift + scale * value;
  }
  return a;
}

/// What the detector would measure [1, views, bins], by the geometry the README states. Lengths in pixels.
struct Scan {
  int64_t views, bins;
  double start_degree = 0, range_degree = 180, pitch = 1, offset = 0;

  [[nodiscard]] Array<float> of(const Phantom& phantom) const {
    Array<float> y({1, views, bins});
    for (int64_t v = 0; v < views; ++v) {
      const double theta = (start_degree + range_degree * static_cast<double>(v) / static_cast<double>(views)) * std::numbers::pi / 180;
      for (int64_t b = 0; b < bins; ++b) {
        const double s = (static_cast<double>(b) - 0.5 * static_cast<double>(bins - 1)) * pitch + offset;
        y.values[v * bins + b] = static_cast<float>(phantom.bin(theta, s, pitch));
      }
    }
    return y;
  }
};

inline double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}
inline double norm(const std::vector<float>& a) { return std::sqrt(dot(a, a)); }

inline double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  std::vector<float> difference = got;
  for (size_t i = 0; i < got.size(); ++i) {
    difference[i] -= expected[i];
  }
  return norm(difference) / norm(expected);
}

/// The same within the circle that every view sees.
inline double relative_error_in_circle(std::vector<float> got, std::vector<float> expected) {
  const auto pixels = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(got.size()))));
  const double centre = 0.5 * static_cast<double>(pixels - 1);
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t j = 0; j < pixels; ++j) {
      if (std::hypot(static_cast<double>(i) - centre, static_cast<double>(j) - centre) > centre - 1) {
        got[i * pixels + j] = expected[i * pixels + j] = 0;
      }
    }
  }
  return relative_error(got, expected);
}

/// adjoint/1 and jvp/1 of channels without latents.
inline Array<float> adjoint(Channel& channel, const Array<float>& y, const std::vector<int64_t>& x_shape) {
  Channel::Call call(channel, 0, y.shape()[0], 0, {});
  Array<float> x(x_shape, 777);
  const auto ty = y.tensor(), tx = x.tensor();
  unchannel_adjoint_args args{};
  args.struct_size = sizeof args, args.y = &ty, args.x = &tx;
  const auto* table = channel.extension<unchannel_adjoint_1>(UNCHANNEL_ADJOINT_1);
  if (table == nullptr || table->adjoint(channel.instance, &call.batch, &args) != UNCHANNEL_OK) {
    throw std::runtime_error("adjoint: " + channel.error);
  }
  return x;
}
inline Array<float> jvp(Channel& channel, const Array<float>& x, const Array<float>& tangent) {
  Channel::Call call(channel, 0, x.shape()[0], 0, {});
  std::vector<int64_t> shape = channel.y_shape;
  shape.insert(shape.begin(), x.shape()[0]);
  Array<float> derivative(shape, 777);
  const auto tx = x.tensor(), tt = tangent.tensor(), td = derivative.tensor();
  unchannel_jvp_args args{};
  args.struct_size = sizeof args, args.x = &tx, args.tangent = &tt, args.derivative = &td;
  const auto* table = channel.extension<unchannel_jvp_1>(UNCHANNEL_JVP_1);
  if (table == nullptr || table->jvp(channel.instance, &call.batch, &args) != UNCHANNEL_OK) {
    throw std::runtime_error("jvp: " + channel.error);
  }
  return derivative;
}

}  // namespace unchannel::test
