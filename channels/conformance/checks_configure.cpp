// config-round-trip, shape-negotiation.
#include <cmath>
#include <unchannel/base/config.hpp>
#include <unchannel/plugin_host/parameters.hpp>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

/// Another value of the parameter that needs many digits or another text; null when there is none.
nlohmann::json other_value(const ParameterDescription& p, const nlohmann::json& value) {
  if (p.type == UNCHANNEL_TYPE_F64) {
    const double now = value.get<double>(), moved = now == 0 ? 1.0 / 3.0 : now * (1.0 + 1.0 / 3e6);
    const double half = std::isfinite(p.min_f64) && std::isfinite(p.max_f64) ? p.min_f64 + (p.max_f64 - p.min_f64) / 3.0 : moved;
    const bool inside = moved > p.min_f64 && moved < p.max_f64;
    return inside ? moved : half;
  }
  if (p.type == UNCHANNEL_TYPE_I64) return value.get<std::int64_t>() < p.max_i64 ? value.get<std::int64_t>() + 1 : p.min_i64;
  if (p.type == UNCHANNEL_TYPE_BOOL) return !value.get<bool>();
  if (p.type == UNCHANNEL_TYPE_STRING) return "a \"quoted\" \\ text\twith a tab";
  if (p.type == UNCHANNEL_TYPE_ENUM) return p.choices.back();
  return nullptr;  // a path would have to exist
}

nlohmann::json read_canonical(const std::string& canonical) {
  nlohmann::json parameters = nlohmann::json::object();
  try {
    Config::parse("[parameters]\n" + canonical, "the canonical configuration").fill([&](SettingsVisitor& v) {
      v.free_table({"parameters", ""}, parameters);
    });
  } catch (const ConfigError& error) {
    throw CheckFailed(fmt::format("the canonical text is no TOML of parameters: {}", error.what()));
  }
  return parameters;
}

/// Configures a second instance from the first one's canonical text and compares everything.
void round_trip(Subject& subject, const Instance& first, const std::string& where) {
  const ChannelDescription& channel = subject.description();
  const nlohmann::json parameters = read_canonical(first.layout().canonical);
  for (const ParameterDescription& p : channel.parameters) {
    check<CheckFailed>(parameters.contains(p.id), "the canonical text lacks the parameter '{}'.", p.id);
  }
  std::vector<nlohmann::json> values;
  try {
    values = resolve_parameters(channel.id, channel.parameters, parameters, subject.request().folder());
  } catch (const ConfigError& error) {
    throw CheckFailed(fmt::format("the canonical text breaks the schema: {}", error.what()));
  }
  const auto second = subject.create();
  const auto outcome = second->configure(first.layout().x_shape, values);
  check<CheckFailed>(outcome.status == UNCHANNEL_OK, "{}: configure refuses its own canonical text: {}", where, outcome.error);
  check<CheckFailed>(second->layout().canonical == first.layout().canonical, "{}: the canonical text of the canonical text differs: {}",
                     where, second->layout().canonical);
  check<CheckFailed>(second->layout() == first.layout(), "{}: shapes or workspace differ after the round trip.", where);
  if (channel.determinism == UNCHANNEL_DETERMINISM_NONE) return;
  const Batch batch = make_batch(first, 3);
  for (const Operation operation : {Operation::draw_latents, Operation::simulate}) {
    const std::string changed = difference(operation, call_ok(first, operation, batch), call_ok(*second, operation, batch));
    check<CheckFailed>(changed.empty(), "{}: after the round trip {}.", where, changed);
  }
}

void expect_usable(Instance& instance) {
  const Layout& layout = instance.layout();
  check<CheckFailed>(layout.y_shape == layout.x_shape || instance.extension<void>(UNCHANNEL_LIFT_1) != nullptr,
                     "for x {} y has the shape {}, and there is no lift/1 back.", shape_text(layout.x_shape), shape_text(layout.y_shape));
  const Batch batch = make_batch(instance, 2);
  if (instance.extension<void>(UNCHANNEL_LIFT_1)) call_ok(instance, Operation::lift, batch);
}

}  // namespace

void check_config_round_trip(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  round_trip(subject, *instance, "defaults");
  int tried = 1;
  const auto values = subject.values();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const ParameterDescription& p = subject.description().parameters[i];
    auto changed = values;
    changed[i] = other_value(p, values[i]);
    if (changed[i].is_null()) continue;
    const auto other = subject.create();
    if (other->configure(instance->layout().x_shape, changed).status != UNCHANNEL_OK) continue;
    round_trip(subject, *other, fmt::format("{} = {}", p.id, changed[i].dump()));
    ++tried;
  }
  detail["configurations"] = tried;
}

void check_shape_negotiation(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const auto values = subject.values();
  const Batch batch = make_batch(*instance, 3);
  const CallResult before = call_ok(*instance, Operation::simulate, batch);
  const bool comparable = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  std::vector<ChannelShape> shapes = candidate_shapes();
  for (const ChannelShape& more : {ChannelShape{7}, {5, 3}, {2, 2, 2, 2, 2, 2, 2, 2}, {0}, {-4}, {8, 0}}) shapes.push_back(more);
  int accepted = 0;
  for (const ChannelShape& shape : shapes) {
    const bool impossible = std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 1; });
    const auto fresh = subject.create();
    if (!impossible && fresh->configure(shape, values).status == UNCHANNEL_OK) {
      ++accepted;
      expect_usable(*fresh);
      continue;
    }
    const auto outcome = instance->configure(shape, values);
    check<CheckFailed>(outcome.status != UNCHANNEL_OK, "configure accepts x_shape {}{}.", shape_text(shape),
                       impossible ? "" : " although a fresh instance refuses it");
    check<CheckFailed>(outcome.status == UNCHANNEL_BAD_ARGUMENT || outcome.status == UNCHANNEL_RETRYABLE,
                       "configure answers {} to x_shape {}; BAD_ARGUMENT is due.", status_name(outcome.status), shape_text(shape));
    check<CheckFailed>(!outcome.error.empty(), "configure refuses x_shape {} without a reason (set_error was not called).",
                       shape_text(shape));
    check<CheckFailed>(!outcome.touched, "configure refuses x_shape {} and still writes into the result.", shape_text(shape));
    const CallResult after = call(*instance, Operation::simulate, batch);
    check<CheckFailed>(after.status == UNCHANNEL_OK, "after the refusal of x_shape {} simulate answers {}: {}", shape_text(shape),
                       status_name(after.status), after.error);
    const std::string changed = comparable ? difference(Operation::simulate, before, after) : "";
    check<CheckFailed>(changed.empty(), "the refusal of x_shape {} changes the configuration in force: {}.", shape_text(shape), changed);
  }
  detail["accepted"] = accepted;
  detail["refused"] = static_cast<int>(shapes.size()) - accepted;
}

}  // namespace unchannel::conformance
