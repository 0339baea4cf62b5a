// A client of UM-Bridge model servers: y = F(x) + noise, F evaluated elsewhere over HTTP. See README.md.
#include <unchannel/channel.hpp>

#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>
#include <utility>

#include "protocol.hpp"
#include "schema.hpp"
#include "session.hpp"

namespace umbridge {

using std::span;

class UmBridge : public Schema {
 public:
  sdk::Shape configure(const sdk::Shape& x_shape) override {
    const Url url = parse_url(url_());
    requests_ = std::make_unique<Requests>(model_(), checked_config(config_()));
    session_ = std::make_unique<Session>(url,
                                         Limits{.connect_timeout_s = connect_timeout_(),
                                                .call_timeout_s = call_timeout_(),
                                                .max_response_bytes = static_cast<uint64_t>(max_response_bytes_()),
                                                .connections = connections_()},
                                         host);
    ask_about_model(url);
    const int64_t x_size = std::accumulate(x_shape.begin(), x_shape.end(), int64_t{1}, std::multiplies<>());
    if (x_size != x_size_) {
      throw sdk::bad_argument(place_, "the model takes ", x_size_, " numbers (input sizes ", listed(inputs_), "), but x has ", x_size,
                              " elements (shape ", listed(x_shape), "). Choose data, model or config so that both agree.");
    }
    check_lift();
    return y_size_ == x_size_ ? x_shape : sdk::Shape{y_size_};
  }

  [[nodiscard]] bool offers(std::string_view id) const {
    if (id == UNCHANNEL_LIFT_1) {
      return lift_() == "gradient" || (lift_() == "pad" && y_size_ < x_size_);
    }
    if (id == UNCHANNEL_LOGLIK_1) {
      return noise_sigma_() > 0 && support_.gradient;
    }
    return (id != UNCHANNEL_VJP_1 || support_.gradient) && (id != UNCHANNEL_JVP_1 || support_.apply_jacobian);
  }

  void simulate(const sdk::SimulateCall& call) const override {
    const auto statuses = evaluate(call.count(), call.x, call.y);
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
    call.for_each([&](int64_t i) {
      require_ok(statuses, i);
      if (noise_sigma_() > 0) {
        std::vector<float> normals(call.y[i].size());
        unchannel_normal_fill(key, call.id(i), 0, normals.size(), normals.data());
        const auto sigma = static_cast<float>(noise_sigma_());
        for (size_t d = 0; d < normals.size(); ++d) {
          call.y[i][d] += sigma * normals[d];
        }
      }
    });
  }

  void mean(const sdk::MeanCall& call) const {
    const auto statuses = evaluate(call.count(), call.x, call.mean);
    call.for_each([&](int64_t i) { require_ok(statuses, i); });
  }

  void vjp(const sdk::VjpCall& call) const {
    const auto statuses = pull_back(call.count(), call.x, call.cotangent, call.gradient);
    call.for_each([&](int64_t i) { require_ok(statuses, i); });
  }

  void jvp(const sdk::JvpCall& call) const {
    const auto statuses = push_forward(call.count(), call.x, call.tangent, call.derivative);
    call.for_each([&](int64_t i) { require_ok(statuses, i); });
  }

  void lift(const sdk::LiftCall& call) const {
    std::vector<int32_t> statuses(static_cast<size_t>(call.count()), UNCHANNEL_SAMPLE_OK);
    if (lift_() == "gradient") {
      std::vector<float> origin(static_cast<size_t>(call.count() * x_size_), 0.0F);
      statuses = pull_back(call.count(), {origin.data(), x_size_}, call.y, call.lifted);
    }
    call.for_each([&](int64_t i) {
      require_ok(statuses, i);
      if (lift_() == "pad") {
        std::ranges::fill(call.lifted[i], 0.0F);
        std::ranges::copy(call.y[i], call.lifted[i].begin());
      } else {
        for (float& value : call.lifted[i]) {
          value *= static_cast<float>(lift_scale_());
        }
      }
    });
  }

  /// log N(y; F(x), sigma^2 I) and its gradient J^T (y - F(x)) / sigma^2.
  void loglik(const sdk::LoglikCall& call) const {
    const auto size = static_cast<size_t>(call.count() * y_size_);
    std::vector<float> means(size), slopes(size);
    const sdk::Rows<float> mean(means.data(), y_size_), slope(slopes.data(), y_size_);
    const double precision = 1 / (noise_sigma_() * noise_sigma_());
    auto statuses = evaluate(call.count(), call.x, mean);
    for (int64_t i = 0; i < call.count(); ++i) {
      double squares = 0;
      for (size_t d = 0; d < mean[i].size(); ++d) {
        const double residual = static_cast<double>(call.y[i][d]) - static_cast<double>(mean[i][d]);
        squares += residual * residual;
        slope[i][d] = static_cast<float>(precision * residual);
      }
      call.loglik[static_cast<size_t>(i)] =
          0.5 * static_cast<double>(y_size_) * std::log(precision / (2 * std::numbers::pi)) - 0.5 * precision * squares;
    }
    if (call.gradient) {
      const auto second = pull_back(call.count(), call.x, {slopes.data(), y_size_}, call.gradient);
      std::ranges::transform(statuses, second, statuses.begin(), [](int32_t a, int32_t b) { return a != UNCHANNEL_SAMPLE_OK ? a : b; });
    }
    call.for_each([&](int64_t i) {
      if (statuses[static_cast<size_t>(i)] != UNCHANNEL_SAMPLE_OK) {
        call.loglik[static_cast<size_t>(i)] = 0;
      }
      require_ok(statuses, i);
    });
  }

 private:
  /// A block of the Jacobian: one output vector, one input vector.
  struct Block {
    size_t out, in, out_begin, in_begin, out_size, in_size;
  };

  static std::string listed(const std::vector<int64_t>& numbers) {
    std::string text;
    for (const int64_t number : numbers) {
      text += sdk::join(text.empty() ? "" : ", ", number);
    }
    return "[" + text + "]";
  }

  void ask_about_model(const Url& url) {
    place_ = url.text() + ", model \"" + excerpt(model_()) + "\": ";
    try {
      check_info(session_->fetch("/Info", {}), model_());
      support_ = read_support(session_->fetch("/ModelInfo", requests_->about_model()));
      inputs_ = read_sizes(session_->fetch("/InputSizes", requests_->about_model()), "inputSizes");
      outputs_ = read_sizes(session_->fetch("/OutputSizes", requests_->about_model()), "outputSizes");
    } catch (const Refusal& refusal) {
      throw sdk::bad_argument(place_, refusal.what());
    }
    if (!support_.evaluate) {
      throw sdk::bad_argument(place_, "it does not support Evaluate, without which it is no channel. Choose another model.");
    }
    x_size_ = std::accumulate(inputs_.begin(), inputs_.end(), int64_t{0});
    y_size_ = std::accumulate(outputs_.begin(), outputs_.end(), int64_t{0});
    size_t out_begin = 0;
    for (size_t out = 0; out < outputs_.size(); out_begin += static_cast<size_t>(outputs_[out++])) {
      size_t in_begin = 0;
      for (size_t in = 0; in < inputs_.size(); in_begin += static_cast<size_t>(inputs_[in++])) {
        if (inputs_[in] > 0 && outputs_[out] > 0) {
          blocks_.push_back({out, in, out_begin, in_begin, static_cast<size_t>(outputs_[out]), static_cast<size_t>(inputs_[in])});
        }
      }
    }
  }

  void check_lift() const {
    if (lift_() == "gradient" && !support_.gradient) {
      throw sdk::bad_argument(place_,
                              "lift = \"gradient\" needs a model that supports Gradient, and this one does not. Set lift = \"pad\".");
    }
    if (lift_() == "pad" && y_size_ > x_size_) {
      throw sdk::bad_argument(place_, "lift = \"pad\" needs at most as many outputs as inputs, but there are ", y_size_, " and ", x_size_,
                              ". Set lift = \"gradient\".");
    }
    if (lift_() == "none" && y_size_ != x_size_) {
      throw sdk::bad_argument(
          place_, "the model has ", y_size_, " outputs and ", x_size_,
          " inputs, so observations need a way back to the shape of signals: set lift = \"pad\" or lift = \"gradient\".");
    }
  }

  static void require_ok(const std::vector<int32_t>& statuses, int64_t i) {
    if (statuses[static_cast<size_t>(i)] != UNCHANNEL_SAMPLE_OK) {
      throw sdk::SampleFailure(statuses[static_cast<size_t>(i)]);
    }
  }

  std::vector<int32_t> evaluate(int64_t count, sdk::Rows<const float> x, sdk::Rows<float> y) const {
    std::vector<double> values(static_cast<size_t>(y_size_));
    return session_->run({.function = "/Evaluate",
                          .count = count,
                          .requests_per_sample = 1,
                          .body = [&](int64_t i, int64_t) { return requests_->evaluate(x[i], inputs_); },
                          .accept =
                              [&](int64_t i, int64_t, std::string_view answer) {
                                read_output(answer, outputs_, true, values);
                                std::ranges::transform(values, y[i].begin(), [](double value) { return static_cast<float>(value); });
                              }});
  }

  /// result = J^T cotangent, a request for each block; the sums over output vectors are taken in float64.
  std::vector<int32_t> pull_back(int64_t count, sdk::Rows<const float> x, sdk::Rows<const float> cotangent, sdk::Rows<float> result) const {
    return sum_blocks(
        "/Gradient", count, x_size_, result,
        [&](int64_t i, const Block& b) {
          return requests_->gradient(b.out, b.in, x[i], inputs_, cotangent[i].subspan(b.out_begin, b.out_size));
        },
        [](const Block& b) { return std::pair(b.in_begin, b.in_size); });
  }
  /// result = J tangent
  std::vector<int32_t> push_forward(int64_t count, sdk::Rows<const float> x, sdk::Rows<const float> tangent,
                                    sdk::Rows<float> result) const {
    return sum_blocks(
        "/ApplyJacobian", count, y_size_, result,
        [&](int64_t i, const Block& b) {
          return requests_->apply_jacobian(b.out, b.in, x[i], inputs_, tangent[i].subspan(b.in_begin, b.in_size));
        },
        [](const Block& b) { return std::pair(b.out_begin, b.out_size); });
  }

  template <class Body, class Range>
  std::vector<int32_t> sum_blocks(const char* function, int64_t count, int64_t width, sdk::Rows<float> result, Body&& body,
                                  Range&& range) const {
    std::vector<double> sums(static_cast<size_t>(count * width), 0.0), values(static_cast<size_t>(std::max(x_size_, y_size_)));
    const sdk::Rows<double> sum(sums.data(), width);
    auto statuses = session_->run({.function = function,
                                   .count = count,
                                   .requests_per_sample = static_cast<int64_t>(blocks_.size()),
                                   .body = [&](int64_t i, int64_t r) { return body(i, blocks_[static_cast<size_t>(r)]); },
                                   .accept =
                                       [&](int64_t i, int64_t r, std::string_view answer) {
                                         const auto [begin, size] = range(blocks_[static_cast<size_t>(r)]);
                                         const auto expected = static_cast<int64_t>(size);
                                         const span<double> part = span(values).first(size);
                                         read_output(answer, {&expected, 1}, false, part);
                                         for (size_t d = 0; d < size; ++d) {
                                           sum[i][begin + d] += part[d];
                                         }
                                       }});
    for (int64_t i = 0; i < count; ++i) {
      std::ranges::transform(sum[i], result[i].begin(), [](double value) { return static_cast<float>(value); });
    }
    return statuses;
  }

  std::unique_ptr<Requests> requests_;
  std::unique_ptr<Session> session_;
  std::string place_;
  Support support_;
  Sizes inputs_, outputs_;
  int64_t x_size_ = 0, y_size_ = 0;
  std::vector<Block> blocks_;
};

/// The same for models that the user knows to be pure functions of x and config. `plugins check` puts the claim to the test.
class Deterministic final : public UmBridge {
 public:
  static constexpr unchannel_descriptor kDescriptor = [] {
    unchannel_descriptor descriptor = UmBridge::kDescriptor;
    descriptor.id = "org.unchannel.umbridge.deterministic";
    descriptor.name = "UM-Bridge client for deterministic models";
    descriptor.determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE;
    return descriptor;
  }();
};

}  // namespace umbridge

UNCHANNEL_MODULE(umbridge::UmBridge, umbridge::Deterministic)
