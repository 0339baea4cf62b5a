#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>
#include <unchannel/sdk/poisson.hpp>

#include "built_ins.hpp"
#include "describe.hpp"
#include "philox_tensors.hpp"

// Shape legend: B batch · D signal dimensions flattened
namespace unchannel {
namespace {

/// Signals in [-1, 1] are intensities u = max((x + 1) / 2, 0) with white at 1; λ is the intensity of one photon. y = 2 λ N − 1,
/// N ~ Poisson(u / λ), so E[y | x] = max(x, −1) and var(y | x) = 4 λ u.
class Poisson final : public BuiltInChannel {
 public:
  explicit Poisson(BuiltInSetup setup) : BuiltInChannel(setup), lambda_(setup.real("lambda")) {}

  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    const at::Tensor x = signals(x_BD);
    const at::Tensor photons_BD = x.add(1).clamp_min_(0).mul_(1 / (2 * lambda_));
    return poisson_counts(noise_key(key), ids(ids_B, x.size(0)), photons_BD).mul_(2 * lambda_).sub_(1);
  }

  bool has_mean() const override { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents&) const override { return signals(x_BD).clamp_min(-1); }

  bool has_vjp() const override { return true; }
  at::Tensor vjp(const at::Tensor& x_BD, const Latents&, const at::Tensor& v_BD) const override {
    const at::Tensor x = signals(x_BD);
    return observations(v_BD, x.size(0), "v_BM").mul(x.gt(-1));
  }

  /// The log probability of the counts N = (y + 1) / (2 λ), by the Gamma function where they are no whole numbers; −∞ when there are
  /// photons where x allows none.
  bool has_loglik() const override { return true; }
  at::Tensor loglik(const at::Tensor& x_BD, const Latents&, const at::Tensor& y_BD, at::Tensor* gradient_BD) const override {
    const at::Tensor x = signals(x_BD), y = observations(y_BD, x.size(0), "y_BM").cpu();
    const at::Tensor x_cpu = x.cpu();
    at::Tensor loglik_B = at::empty({x.size(0)}, at::kDouble), score_BD = at::empty(x.sizes(), at::kFloat);
    const std::int64_t size = x.size(1);
    at::parallel_for(0, x.size(0), 1 + 4096 / size, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        loglik_B.mutable_data_ptr<double>()[i] = row_loglik(x_cpu.const_data_ptr<float>() + i * size, y.const_data_ptr<float>() + i * size,
                                                            score_BD.mutable_data_ptr<float>() + i * size, size);
      }
    });
    if (gradient_BD) *gradient_BD = score_BD.to(x.device());
    return loglik_B.to(x.device());
  }

 private:
  double row_loglik(const float* x_D, const float* y_D, float* score_D, std::int64_t size) const {
    double sum = 0;
    for (std::int64_t j = 0; j < size; ++j) {
      const double photons = std::max(0.0, (static_cast<double>(x_D[j]) + 1) / (2 * lambda_));
      const double counts = std::max(0.0, (static_cast<double>(y_D[j]) + 1) / (2 * lambda_));
      const bool dark = photons == 0;
      // Counts come back from float32 data: a rounding error of zero counts is no photon.
      const bool none = counts < 1e-3;
      if (!none) sum += dark ? -std::numeric_limits<double>::infinity() : counts * std::log(photons) - sdk::log_factorial(counts);
      sum -= photons;
      score_D[j] = dark ? 0.0F : static_cast<float>(((none ? 0.0 : counts / photons) - 1) / (2 * lambda_));
    }
    return sum;
  }

  double lambda_;
};

}  // namespace

ChannelDescription describe_poisson() {
  ChannelDescription channel =
      describe_built_in("poisson", "Shot noise",
                        "Signals in [-1, 1] are intensities u = max((x + 1) / 2, 0) with white at 1: y = 2 lambda N - 1, "
                        "N ~ Poisson(u / lambda). Mean max(x, -1), variance 4 lambda u.");
  add_real(channel, "lambda", "white per photon", "Intensity of one photon: white is 1 / lambda photons.", 0.1, 1e-9, 1e3,
           UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN);
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_poisson(BuiltInSetup setup) { return std::make_unique<Poisson>(std::move(setup)); }

}  // namespace unchannel
