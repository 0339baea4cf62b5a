// A channel that uses every part of the interface and misbehaves on request: y = gain x + level + 0.1 n, with `half` only every other element.
#include <unchannel/channel.hpp>

#include <atomic>
#include <cfenv>

namespace {

namespace sdk = unchannel::sdk;

template <int kThreadClass>
class Gain final : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      .id = kThreadClass == UNCHANNEL_THREADS_REENTRANT ? "org.example.gain" : "org.example.gain_serial",
      .name = "Gain",
      .version = "1.2.3",
      .vendor = "tests",
      .url = "",
      .licence = "Apache-2.0",
      .description = "y = gain x + level + 0.1 n",
      .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
      .thread_class = kThreadClass,
  };

  sdk::Real gain{*this, {.id = "gain", .value = 2, .min = 0, .max = 10, .doc = "Factor.", .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Real width{*this, {.id = "width_angstrom", .unit = "angstrom", .value = 3, .min = 1, .doc = "Unused."}};
  sdk::Integer taps{*this, {.id = "taps", .value = 3, .min = 1, .max = 9, .doc = "Unused."}};
  sdk::Switch half{*this, {.id = "half", .value = false, .doc = "Every other element.", .flags = UNCHANNEL_PARAMETER_CHANGES_SHAPES}};
  sdk::Switch with_lift{*this, {.id = "with_lift", .value = true, .doc = "Offer lift."}};
  sdk::Text mode{*this, {.id = "mode", .value = "gentle", .doc = "Unused.", .choices = {"gentle", "harsh"}}};
  sdk::Text table{*this, {.id = "table", .value = "", .doc = "Unused.", .type = UNCHANNEL_TYPE_PATH}};
  sdk::Text fault{*this,
                  {.id = "fault",
                   .value = "none",
                   .doc = "How to fail.",
                   .choices = {"none", "retry_twice", "bad_argument", "instance_broken", "throws", "nan", "domain", "rounding", "status_99"}}};

  sdk::Latent<float> level{*this, {.id = "level", .unit = "data units", .prior = "uniform(0, 1)", .doc = "Background."}};
  sdk::Latent<int32_t> number{*this, {.id = "number", .prior = "other: 0 … 99", .doc = "Unused.", .flags = UNCHANNEL_LATENT_VISIBLE}};
  sdk::Latent<float> echo{*this, {.id = "echo", .prior = "other: x", .doc = "A copy of x.", .flags = UNCHANNEL_LATENT_DEPENDS_ON_X}};
  sdk::Latent<int64_t> stamp{*this, {.id = "stamp", .doc = "Unused.", .flags = UNCHANNEL_LATENT_DATA_ONLY}};

  sdk::Shape configure(const sdk::Shape& x_shape) override {
    if (x_shape.size() != 1) { throw sdk::bad_argument("x must have one axis; it has ", x_shape.size(), "."); }
    level.activate();
    number.activate({2});
    echo.activate(x_shape);
    if (mode() == "harsh") { stamp.activate(); }
    size_ = x_shape[0];
    step_ = half() ? 2 : 1;
    workspace = {.bytes = 64, .bytes_per_sample = static_cast<uint64_t>(size_) * sizeof(float)};
    return {size_ / step_};
  }

  bool offers(std::string_view extension) const { return extension != UNCHANNEL_LIFT_1 || (half() && with_lift()); }

  void draw_latents(const sdk::DrawCall& call) const {
    const auto levels = call.draw(level);
    const auto numbers = call.draw(number);
    const auto echoes = call.draw(echo);
    for (int64_t i = 0; i < call.count(); ++i) {
      if (levels) { levels[i][0] = unchannel_uniform(call.key(), call.id(i), 0, 0); }
      for (uint32_t j = 0; numbers && j < 2; ++j) {
        numbers[i][j] = static_cast<int32_t>(unchannel_below(unchannel_word(call.key(), call.id(i), 4 + j, 0), 100));
      }
      if (echoes) { std::ranges::copy(call.x[i], echoes[i].begin()); }
    }
  }

  void simulate(const sdk::SimulateCall& call) const override {
    misbehave();
    if (call.count() > 0 && call.workspace_bytes() < 64 + static_cast<uint64_t>(call.count() * size_) * sizeof(float)) {
      throw sdk::bad_argument("the workspace is too small.");
    }
    const auto levels = call.latent(level);
    call.for_each([&](int64_t i) {
      if (call.id(i) % 5 == 3 && fault() == "domain") { throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN); }
      for (size_t j = 0; j < call.y[i].size(); ++j) {
        const float noise = unchannel_normal(call.key(), call.id(i), static_cast<uint32_t>(j), 0);
        call.y[i][j] = static_cast<float>(gain()) * call.x[i][j * static_cast<size_t>(step_)] + levels[i][0] + 0.1F * noise;
      }
      if (call.id(i) % 5 == 3 && fault() == "nan") { call.y[i][0] = std::numeric_limits<float>::quiet_NaN(); }
    });
  }

  void mean(const sdk::MeanCall& call) const {
    const auto levels = call.latent(level);
    call.for_each([&](int64_t i) {
      for (size_t j = 0; j < call.mean[i].size(); ++j) {
        call.mean[i][j] = static_cast<float>(gain()) * call.x[i][j * static_cast<size_t>(step_)] + levels[i][0];
      }
    });
  }

  void vjp(const sdk::VjpCall& call) const {
    call.for_each([&](int64_t i) {
      std::ranges::fill(call.gradient[i], 0.0F);
      for (size_t j = 0; j < call.cotangent[i].size(); ++j) {
        call.gradient[i][j * static_cast<size_t>(step_)] = static_cast<float>(gain()) * call.cotangent[i][j];
      }
    });
  }

  void lift(const sdk::LiftCall& call) const {
    call.for_each([&](int64_t i) {
      for (size_t j = 0; j < call.lifted[i].size(); ++j) { call.lifted[i][j] = call.y[i][j / 2] / static_cast<float>(gain()); }
    });
  }

  void loglik(const sdk::LoglikCall& call) const {
    for (int64_t i = 0; i < call.count(); ++i) {
      call.loglik[static_cast<size_t>(i)] = -static_cast<double>(call.y[i][0]);
      if (call.gradient) { std::ranges::fill(call.gradient[i], 1.0F); }
    }
  }

 private:
  void misbehave() const {
    if (fault() == "bad_argument") { throw sdk::bad_argument("the lamp is off"); }
    if (fault() == "instance_broken") { throw sdk::instance_broken("the mirror is broken"); }
    if (fault() == "throws") { throw std::runtime_error("an exception inside"); }
    if (fault() == "status_99") { throw sdk::Failure(99, "from the future"); }
    if (fault() == "rounding") { std::fesetround(FE_UPWARD); }
    if (fault() == "retry_twice" && attempts_++ < 2) { throw sdk::retryable("the server is busy"); }
  }

  int64_t size_ = 0, step_ = 1;
  mutable std::atomic<int> attempts_{0};
};

}  // namespace

UNCHANNEL_MODULE(Gain<UNCHANNEL_THREADS_REENTRANT>, Gain<UNCHANNEL_THREADS_INSTANCE_SERIAL>)
