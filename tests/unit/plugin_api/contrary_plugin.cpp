// A channel that fails in every way the SDK must contain, and one with every kind of parameter.
#include <unchannel/channel.hpp>

#include <limits>
#include <typeinfo>

namespace {

namespace sdk = unchannel::sdk;

struct Base {
  virtual ~Base() = default;
};
struct Derived : Base {};

class Contrary final : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      "test.contrary", "Contrary", "1.0.0", "", "", "", "Fails on request.", UNCHANNEL_DETERMINISM_PER_SAMPLE, UNCHANNEL_THREADS_REENTRANT};
  sdk::Shape configure(const sdk::Shape& x_shape) override {
    if (mode_() == "configure throws") {
      throw std::runtime_error("configure threw");
    }
    if (mode_() == "configure throws int") {
      throw 5;
    }  // NOLINT
    count_.activate();
    values_.activate({4});
    return x_shape;
  }
  void draw_latents(const sdk::DrawCall& call) const override {
    const auto count = call.draw(count_);
    const auto values = call.draw(values_);
    for (int64_t i = 0; i < call.count(); ++i) {
      if (count) {
        count[i][0] = static_cast<int32_t>(unchannel_below(unchannel_word(call.key(), call.id(i), 0, 0), 5));
      }
      if (values) {
        unchannel_uniform_fill(call.key(), call.id(i), 4, 4, values[i].data());
      }
    }
  }
  void simulate(const sdk::SimulateCall& call) const override {
    if (mode_() == "exception") {
      throw std::runtime_error("an ordinary exception");
    }
    if (mode_() == "int") {
      throw 5;
    }  // NOLINT
    if (mode_() == "memory") {
      throw std::bad_alloc();
    }
    if (mode_() == "retryable") {
      throw sdk::retryable("the licence server is away");
    }
    if (mode_() == "module") {
      throw sdk::module_broken("the device is lost");
    }
    call.for_each(
        [&](int64_t i) {
          if (mode_() == "rtti") {
            const Derived derived;
            const Base& base = derived;
            try {
              (void)dynamic_cast<const Derived&>(base);
              throw std::out_of_range(typeid(base).name());
            } catch (const std::logic_error&) {
            }
          }
          if (mode_() == "sample exception" && call.id(i) % 2 == 1) {
            throw std::runtime_error("odd");
          }
          if (mode_() == "sample code" && call.id(i) % 2 == 1) {
            throw sdk::SampleFailure(UNCHANNEL_SAMPLE_PLUGIN + 7);
          }
          for (size_t d = 0; d < call.y[i].size(); ++d) {
            call.y[i][d] = call.x[i][d] + static_cast<float>(real_());
          }
        },
        2);
  }

 private:
  sdk::Text mode_{*this, {.id = "mode", .value = "well", .doc = "How to fail."}};
  sdk::Real real_{*this, {.id = "real", .value = 1, .min = 0, .max = 10, .doc = "A number.", .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Integer integer_{*this, {.id = "integer", .value = -3, .min = -5, .max = 5, .doc = "An integer."}};
  sdk::Switch switch_{*this, {.id = "switch", .value = true, .doc = "A switch."}};
  sdk::Text choice_{*this, {.id = "choice", .value = "b", .doc = "A choice.", .choices = {"a", "b"}}};
  sdk::Text path_{*this, {.id = "path", .value = "", .doc = "A file.", .type = UNCHANNEL_TYPE_PATH}};
  sdk::Latent<int32_t> count_{*this, {.id = "count", .doc = "Valid entries of values.", .count_of = "values"}};
  sdk::Latent<float> values_{*this, {.id = "values", .prior = "uniform(0, 1)", .doc = "Padded."}};
};

class Plain final : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      "test.plain", "Plain", "1.0.0", "", "", "", "y = x.", UNCHANNEL_DETERMINISM_PER_SAMPLE, UNCHANNEL_THREADS_INSTANCE_SERIAL};
  sdk::Shape configure(const sdk::Shape& x_shape) override { return x_shape; }
  void simulate(const sdk::SimulateCall& call) const override {
    call.for_each([&](int64_t i) { std::ranges::copy(call.x[i], call.y[i].begin()); });
  }
};

}  // namespace

UNCHANNEL_MODULE(Contrary, Plain)
