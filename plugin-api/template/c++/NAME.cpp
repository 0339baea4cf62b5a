// @NAME@: y = g x + sigma n for every element, n ~ N(0, 1). The gain g is a latent: one number per sample that the model may see.
// Replace the formula; keep the rules: every random number from (key, id), no state between calls, no printing.
#include <cmath>
#include <unchannel/channel.hpp>

namespace {

namespace sdk = unchannel::sdk;

class Instrument final : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      .id = "org.example.@NAME@",
      .name = "@NAME@",
      .version = "0.1.0",
      .vendor = "",
      .url = "",
      .licence = "",
      .description = "y = g x + sigma n, n ~ N(0, 1) for every element; g is uniform in [gain_min, gain_max].",
      .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
      .thread_class = UNCHANNEL_THREADS_REENTRANT};

  sdk::Shape configure(const sdk::Shape& x_shape) override {
    if (gain_min_() > gain_max_()) {
      throw sdk::bad_argument("gain_min = ", gain_min_(), " must not be above gain_max = ", gain_max_(), ".");
    }
    gain_.activate();  // {}: one number per sample
    return x_shape;    // y has the shape of x
  }

  void draw_latents(const sdk::DrawCall& call) const override {
    const auto gain = call.draw(gain_);  // empty: this latent has another source, such as the observations
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_LATENT, gain_.index()));
    for (int64_t i = 0; gain && i < call.count(); ++i) {
      const auto uniform = static_cast<double>(unchannel_uniform(key, call.id(i), 0, 0));
      gain[i][0] = static_cast<float>(gain_min_() + (gain_max_() - gain_min_()) * uniform);
    }
  }

  void simulate(const sdk::SimulateCall& call) const override {
    const auto gain = call.latent(gain_);
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
    const auto sigma = static_cast<float>(noise_sigma_());
    call.for_each([&](int64_t i) {
      const auto x = call.x[i];
      const auto y = call.y[i];
      const float g = usable(gain[i][0]);
      unchannel_normal_fill(key, call.id(i), 0, y.size(), y.data());  // by the sample's id, never by its place in the batch
      for (size_t d = 0; d < y.size(); ++d) y[d] = g * x[d] + sigma * y[d];
    });
  }

  /// E[y | x, gain], no noise.
  void mean(const sdk::MeanCall& call) const {
    const auto gain = call.latent(gain_);
    call.for_each([&](int64_t i) { scale(usable(gain[i][0]), call.x[i], call.mean[i]); });
  }

  /// gradient = (d mean / d x)^T cotangent.
  void vjp(const sdk::VjpCall& call) const {
    const auto gain = call.latent(gain_);
    call.for_each([&](int64_t i) { scale(usable(gain[i][0]), call.cotangent[i], call.gradient[i]); });
  }

 private:
  /// A latent may come from anywhere: what the channel cannot model costs this sample only.
  static float usable(float gain) { return std::isfinite(gain) ? gain : throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN); }
  static void scale(float factor, std::span<const float> from, std::span<float> to) {
    for (size_t d = 0; d < to.size(); ++d) to[d] = factor * from[d];
  }

  sdk::Real gain_min_{*this, {.id = "gain_min", .unit = "1", .value = 0.8, .min = 0, .doc = "Smallest gain."}};
  sdk::Real gain_max_{*this, {.id = "gain_max", .unit = "1", .value = 1.2, .min = 0, .doc = "Largest gain."}};
  sdk::Real noise_sigma_{*this,
                         {.id = "noise_sigma",
                          .unit = "data units",
                          .value = 0.1,
                          .min = 0,
                          .doc = "Standard deviation of the noise.",
                          .flags = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN}};
  sdk::Latent<float> gain_{*this,
                           {.id = "gain",
                            .unit = "1",
                            .prior = "uniform(gain_min, gain_max)",
                            .doc = "Gain of this sample's exposure.",
                            .flags = UNCHANNEL_LATENT_VISIBLE}};
};

}  // namespace

UNCHANNEL_MODULE(Instrument)
