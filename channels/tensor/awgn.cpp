#include "awgn.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <unchannel/random.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/parameters.hpp>

#include "tensor_checks.hpp"

// Shape legend: B batch · D signal dimensions flattened
namespace unchannel {
namespace {

class Awgn final : public Channel {
 public:
  Awgn(std::vector<std::int64_t> shape, double sigma) : shape_(std::move(shape)), size_(elements_of(shape_)), sigma_(sigma) {}

  std::string id() const override { return "awgn"; }
  std::string version() const override { return describe_awgn().version; }
  std::vector<std::int64_t> signal_shape() const override { return shape_; }
  std::vector<std::int64_t> observation_shape() const override { return shape_; }
  const std::vector<LatentSpec>& latents() const override { return none_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override {
    return {{"id", id()}, {"version", version()}, {"kind", "built-in"}, {"parameters", {{"sigma", sigma_}}}};
  }

  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }

  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    const at::Tensor x = rows(x_BD, -1, "x_BD");
    const at::Tensor ids = checked_rows(ids_B, at::kLong, x.size(0), 1, "channel awgn: ids_B");
    at::Tensor y_BD = at::empty({x.size(0), size_}, x.options());
    const RandomKey noise(unchannel_derive(unchannel_derive(key.value(), unchannel_tag(UNCHANNEL_TAG_PURPOSE, UNCHANNEL_PURPOSE_SIMULATE)),
                                           unchannel_tag(UNCHANNEL_TAG_NOISE, 0)));
    const auto* from = x.const_data_ptr<float>();
    const auto* id = ids.const_data_ptr<std::int64_t>();
    auto* to = y_BD.mutable_data_ptr<float>();
    const auto sigma = static_cast<float>(sigma_);
    at::parallel_for(0, x.size(0), 1 + 16384 / size_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        float* row = to + i * size_;
        noise.normal(static_cast<std::uint64_t>(id[i]), 0, static_cast<std::uint32_t>(size_), row);
        for (std::int64_t j = 0; j < size_; ++j) row[j] = from[i * size_ + j] + sigma * row[j];
      }
    });
    return y_BD;
  }

  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return rows(y_BM, -1, "y_BM"); }
  bool has_mean() const override { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents&) const override { return rows(x_BD, -1, "x_BD"); }
  bool has_vjp() const override { return true; }
  at::Tensor vjp(const at::Tensor&, const Latents&, const at::Tensor& v_BM) const override { return rows(v_BM, -1, "v_BM"); }
  bool has_loglik() const override { return sigma_ > 0; }

  at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const override {
    if (!has_loglik()) return Channel::loglik(x_BD, latents, y_BM, gradient_BD);
    const at::Tensor x = rows(x_BD, -1, "x_BD");
    const at::Tensor y = rows(y_BM, x.size(0), "y_BM");
    at::Tensor loglik_B = at::empty({x.size(0)}, x.options().dtype(at::kDouble));
    if (gradient_BD) *gradient_BD = at::empty({x.size(0), size_}, x.options());
    const double constant = -0.5 * static_cast<double>(size_) * std::log(2 * std::numbers::pi * sigma_ * sigma_);
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      const float* x_D = x.const_data_ptr<float>() + i * size_;
      const float* y_D = y.const_data_ptr<float>() + i * size_;
      float* gradient_D = gradient_BD ? gradient_BD->mutable_data_ptr<float>() + i * size_ : nullptr;
      double square = 0;
      for (std::int64_t j = 0; j < size_; ++j) {
        const double residual = static_cast<double>(y_D[j]) - x_D[j];
        square += residual * residual;
        if (gradient_D) gradient_D[j] = static_cast<float>(residual / (sigma_ * sigma_));
      }
      loglik_B.mutable_data_ptr<double>()[i] = constant - 0.5 * square / (sigma_ * sigma_);
    }
    return loglik_B;
  }

 private:
  at::Tensor rows(const at::Tensor& tensor, std::int64_t count, const char* name) const {
    return checked_rows(tensor, at::kFloat, count, size_, std::string("channel awgn: ") + name);
  }

  std::vector<std::int64_t> shape_;
  std::int64_t size_;
  double sigma_;
  std::vector<LatentSpec> none_;
};

}  // namespace

ChannelDescription describe_awgn() {
  ChannelDescription channel;
  channel.id = "awgn";
  channel.name = "Additive white Gaussian noise";
  channel.version = "1.0.0";
  channel.description = "y = x + sigma * n, n standard normal and independent in every element.";
  channel.determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE;
  channel.thread_class = UNCHANNEL_THREADS_REENTRANT;
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  ParameterDescription sigma;
  sigma.id = "sigma";
  sigma.unit = "data units";
  sigma.doc = "Standard deviation of the noise.";
  sigma.type = UNCHANNEL_TYPE_F64;
  sigma.flags = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN | UNCHANNEL_PARAMETER_MAX_EXCLUSIVE;
  sigma.default_value = 0.5;
  sigma.max_f64 = std::numeric_limits<double>::infinity();
  channel.parameters = {sigma};
  return channel;
}

std::unique_ptr<Channel> make_awgn(const std::vector<std::int64_t>& signal_shape, const nlohmann::json& parameters) {
  const auto values = resolve_parameters("awgn", describe_awgn().parameters, parameters, ".");
  return std::make_unique<Awgn>(signal_shape, values[0].get<double>());
}

}  // namespace unchannel
