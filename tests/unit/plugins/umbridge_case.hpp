#pragma once
// What the tests of the UM-Bridge client share: the plugin as any host sees it, a log, and jvp.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "plugin_driver.hpp"

namespace unchannel::test {

class UmBridgeChannel : public Channel {
 public:
  using Parameters = std::map<std::string, Value>;

  explicit UmBridgeChannel(uint32_t channel = 0) : Channel(UNCHANNEL_BINARY_DIR "/plugins/umbridge.so", channel) {
    current_ = this;
    services[UNCHANNEL_SERVICE_LOG_1] = &kLog;
  }
  ~UmBridgeChannel() { current_ = nullptr; }

  /// Short time limits, so that misbehaviour takes no test time; `more` has the last word.
  int32_t connect(const std::string& url, const Parameters& more = {}, const std::vector<int64_t>& x_shape = {3}) {
    Parameters parameters{{"url", url}, {"connect_timeout_s", 0.5}, {"call_timeout_s", 20.0}};
    for (const auto& [id, value] : more) {
      parameters[id] = value;
    }
    return configure(x_shape, parameters);
  }

  /// Fills `derivative`; returns the call's status.
  int32_t jvp(const Array<float>& x, const Array<float>& tangent, Array<float>& derivative) {
    Call call(*this, 0, x.shape()[0], 0, {});
    const auto tx = x.tensor(), tt = tangent.tensor(), td = derivative.tensor();
    unchannel_jvp_args args{sizeof args, nullptr, &tx, call.latents.data(), 0, 0, &tt, &td};
    return extension<unchannel_jvp_1>(UNCHANNEL_JVP_1)->jvp(instance, &call.batch, &args);
  }

  std::vector<std::string> logged;

 private:
  static inline UmBridgeChannel* current_ = nullptr;
  static constexpr unchannel_host_log_1 kLog{[](const unchannel_host*, int32_t, const char* text) { current_->logged.emplace_back(text); }};
};

/// Sample i is (i + 1, 10 (i + 1), 100 (i + 1)).
inline Array<float> signals(int64_t count) {
  Array<float> x({count, 3});
  for (int64_t i = 0; i < count; ++i) {
    x.row(i)[0] = static_cast<float>(i + 1), x.row(i)[1] = static_cast<float>(10 * (i + 1)),
    x.row(i)[2] = static_cast<float>(100 * (i + 1));
  }
  return x;
}

}  // namespace unchannel::test
