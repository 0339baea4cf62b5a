// parameter-bounds, parameter-reject.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <unchannel/plugin_host/parameters.hpp>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

/// The ends of the declared range, inside it; every choice; both truth values.
std::vector<nlohmann::json> bounds(const ParameterDescription& p) {
  std::vector<nlohmann::json> values;
  if (p.type == UNCHANNEL_TYPE_F64) {
    const bool min_open = (p.flags & UNCHANNEL_PARAMETER_MIN_EXCLUSIVE) != 0, max_open = (p.flags & UNCHANNEL_PARAMETER_MAX_EXCLUSIVE) != 0;
    if (std::isfinite(p.min_f64)) values.push_back(min_open ? std::nextafter(p.min_f64, HUGE_VAL) : p.min_f64);
    if (std::isfinite(p.max_f64)) values.push_back(max_open ? std::nextafter(p.max_f64, -HUGE_VAL) : p.max_f64);
  } else if (p.type == UNCHANNEL_TYPE_I64) {
    using Limits = std::numeric_limits<std::int64_t>;
    if (p.min_i64 != Limits::min()) values.push_back(p.min_i64);
    if (p.max_i64 != Limits::max()) values.push_back(p.max_i64);
  } else if (p.type == UNCHANNEL_TYPE_BOOL) {
    values = {false, true};
  } else if (p.type == UNCHANNEL_TYPE_ENUM) {
    values.assign(p.choices.begin(), p.choices.end());
  }
  return values;
}

bool finite(const Output& output, std::size_t sample) {
  const auto width = static_cast<std::size_t>(output.row_bytes) / sizeof(float);
  const auto* row = reinterpret_cast<const float*>(output.bytes.data()) + sample * width;
  return std::all_of(row, row + width, [](float value) { return std::isfinite(value); });
}

/// Calls the channel under a configuration at the end of a range: whatever it cannot do it must say.
void try_calls(const Instance& instance, const std::string& where) {
  Batch batch = make_inputs(instance, 3, 7, 0);
  const CallResult y = call(instance, Operation::simulate, batch);
  check<CheckFailed>(y.status == UNCHANNEL_OK || !y.error.empty(), "with {} simulate answers {} without a reason.", where,
                     status_name(y.status));
  check<CheckFailed>(y.status >= UNCHANNEL_OK && y.status <= UNCHANNEL_MODULE_BROKEN, "with {} simulate answers {}.", where,
                     status_name(y.status));
  for (std::size_t i = 0; y.status == UNCHANNEL_OK && i < y.sample_status.size(); ++i) {
    check<CheckFailed>(y.sample_status[i] != UNCHANNEL_SAMPLE_OK || finite(y.outputs[0], i),
                       "with {} y is not finite and sample_status does not say so.", where);
  }
}

std::string where_text(const ParameterDescription& p, const nlohmann::json& value) { return fmt::format("{} = {}", p.id, value.dump()); }

/// One value that breaks the schema, and in words how.
struct Wrong {
  unchannel_value value;
  std::string what;
};

std::vector<Wrong> wrong_values(const ParameterDescription& p, const unchannel_value& good) {
  std::vector<Wrong> list;
  const auto add = [&](auto change, const std::string& what) {
    Wrong wrong{good, fmt::format("{} {}", p.id, what)};
    change(wrong.value);
    list.push_back(std::move(wrong));
  };
  if (p.type == UNCHANNEL_TYPE_F64) {
    add([](unchannel_value& v) { v.f64 = std::nan(""); }, "= NaN");
    const double below = std::nextafter(p.min_f64, -HUGE_VAL), above = std::nextafter(p.max_f64, HUGE_VAL);
    if (std::isfinite(p.min_f64)) add([&](unchannel_value& v) { v.f64 = below; }, fmt::format("= {}, just below its minimum", below));
    if (std::isfinite(p.max_f64)) add([&](unchannel_value& v) { v.f64 = above; }, fmt::format("= {}, just above its maximum", above));
  } else if (p.type == UNCHANNEL_TYPE_I64) {
    using Limits = std::numeric_limits<std::int64_t>;
    if (p.min_i64 != Limits::min()) add([&](unchannel_value& v) { v.i64 = p.min_i64 - 1; }, fmt::format("= {}", p.min_i64 - 1));
    if (p.max_i64 != Limits::max()) add([&](unchannel_value& v) { v.i64 = p.max_i64 + 1; }, fmt::format("= {}", p.max_i64 + 1));
  } else if (p.type == UNCHANNEL_TYPE_ENUM) {
    add([](unchannel_value& v) { v.text = "no-such-choice"; }, "= 'no-such-choice'");
  }
  add([](unchannel_value& v) { v.type = v.type == UNCHANNEL_TYPE_F64 ? UNCHANNEL_TYPE_STRING : UNCHANNEL_TYPE_F64, v.text = ""; },
      "of another type");
  add([](unchannel_value& v) { v.id = "no_such_parameter"; }, "under another id");
  return list;
}

void expect_refusal(Instance& instance, const std::vector<unchannel_value>& values, const std::string& what) {
  const ChannelShape shape = instance.layout().x_shape;
  const auto outcome = instance.configure_raw(shape, values);
  check<CheckFailed>(outcome.status != UNCHANNEL_OK, "configure accepts {}.", what);
  check<CheckFailed>(outcome.status == UNCHANNEL_BAD_ARGUMENT, "configure answers {} to {}; BAD_ARGUMENT is due.",
                     status_name(outcome.status), what);
  check<CheckFailed>(!outcome.error.empty(), "configure refuses {} without a reason (set_error was not called).", what);
  check<CheckFailed>(!outcome.touched, "configure refuses {} and still writes into the result.", what);
}

}  // namespace

void check_parameter_bounds(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto usual = subject.configured();
  const ChannelShape shape = usual->layout().x_shape;
  int accepted = 0, refused = 0;
  for (std::size_t i = 0; i < subject.description().parameters.size(); ++i) {
    const ParameterDescription& p = subject.description().parameters[i];
    for (const nlohmann::json& value : bounds(p)) {
      auto values = subject.values();
      values[i] = value;
      const auto instance = subject.create();
      const auto outcome = instance->configure(shape, values);
      const std::string where = where_text(p, value);
      if (outcome.status == UNCHANNEL_OK) {
        ++accepted;
        try_calls(*instance, where);
        continue;
      }
      ++refused;
      check<CheckFailed>(outcome.status == UNCHANNEL_BAD_ARGUMENT || outcome.status == UNCHANNEL_RETRYABLE, "configure answers {} to {}.",
                         status_name(outcome.status), where);
      check<CheckFailed>(!outcome.error.empty(), "configure refuses {} without a reason (set_error was not called).", where);
    }
  }
  detail["accepted"] = accepted;
  detail["refused_with_reason"] = refused;
  if (accepted + refused == 0) throw CheckSkipped("no parameter has a bound or a choice.");
}

void check_parameter_reject(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const auto& schema = subject.description().parameters;
  const auto values = subject.values();
  const auto good = to_values(schema, values);
  const Batch batch = make_batch(*instance, 3);
  const CallResult before = call_ok(*instance, Operation::simulate, batch);
  int tried = 0;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    for (const Wrong& wrong : wrong_values(schema[i], good[i])) {
      auto bad = good;
      bad[i] = wrong.value;
      expect_refusal(*instance, bad, wrong.what);
      ++tried;
    }
  }
  auto more = good;
  more.push_back({"surplus", UNCHANNEL_TYPE_F64, 0, 1.0, 0, nullptr});
  expect_refusal(*instance, more, "one value too many");
  if (!good.empty()) expect_refusal(*instance, {good.begin(), good.end() - 1}, "one value too few");
  const CallResult after = call(*instance, Operation::simulate, batch);
  const bool comparable = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  check<CheckFailed>(after.status == UNCHANNEL_OK, "after refused configurations simulate answers {}: {}", status_name(after.status),
                     after.error);
  const std::string changed = comparable ? difference(Operation::simulate, before, after) : "";
  check<CheckFailed>(changed.empty(), "refused configurations change the one in force: {}.", changed);
  detail["refused"] = tried;
}

}  // namespace unchannel::conformance
