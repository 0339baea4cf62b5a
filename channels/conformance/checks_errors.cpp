// error-and-cancel.
#include <cmath>
#include <unchannel/plugin_host/program_plugin.hpp>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

void expect_refused(const CallResult& result, Operation operation, const char* what) {
  check<CheckFailed>(result.status == UNCHANNEL_BAD_ARGUMENT, "{} {} answers {}; BAD_ARGUMENT is due.", operation_name(operation), what,
                     status_name(result.status));
  check<CheckFailed>(!result.error.empty(), "{} {} is refused without a reason (set_error was not called).", operation_name(operation),
                     what);
}

/// The instance still gives what it gave before.
void expect_unharmed(const Instance& instance, const Batch& batch, const CallResult& before, const std::string& after) {
  const CallResult now = call(instance, Operation::simulate, batch);
  check<CheckFailed>(now.status == UNCHANNEL_OK, "after {} simulate answers {}: {}", after, status_name(now.status), now.error);
  if (instance.subject().description().determinism == UNCHANNEL_DETERMINISM_NONE) return;
  const std::string changed = difference(Operation::simulate, before, now);
  check<CheckFailed>(changed.empty(), "after {} {}.", after, changed);
}

bool row_is_finite(const CallResult& result, std::int64_t row, std::int64_t width) {
  for (std::int64_t j = 0; j < width; ++j) {
    if (!std::isfinite(result.floats()[row * width + j])) return false;
  }
  return true;
}

/// A NaN in the signal of sample 1 is that sample's misfortune alone.
void check_bad_sample(const Instance& instance, const Batch& batch, const CallResult& before) {
  const Layout& layout = instance.layout();
  Batch bad = batch;
  bad.x[static_cast<std::size_t>(layout.x_size)] = std::nanf("");
  const CallResult result = call(instance, Operation::simulate, bad);
  check<CheckFailed>(result.status == UNCHANNEL_OK, "a NaN in one signal makes the whole simulate answer {}: {}",
                     status_name(result.status), result.error);
  const std::int32_t determinism = instance.subject().description().determinism;
  for (std::int64_t i = 0; i < batch.count(); ++i) {
    if (i == 1) continue;
    check<CheckFailed>(result.sample_status[static_cast<std::size_t>(i)] == UNCHANNEL_SAMPLE_OK && row_is_finite(result, i, layout.y_size),
                       "a NaN in signal 1 spoils sample {}.", i);
    if (determinism != UNCHANNEL_DETERMINISM_PER_SAMPLE) continue;
    const auto* row = before.floats() + i * layout.y_size;
    check<CheckFailed>(std::equal(row, row + layout.y_size, result.floats() + i * layout.y_size), "a NaN in signal 1 changes sample {}.",
                       i);
  }
  expect_unharmed(instance, batch, before, "a NaN in a signal");
}

void check_wrong_tensors(const Instance& instance, const Batch& batch, const CallResult& before) {
  for (const Operation operation : offered_operations(instance)) {
    if (operation == Operation::draw_latents) continue;  // may have nothing to read or write
    expect_refused(call(instance, operation, batch, {.output_extra = 1}), operation, "with an output of the wrong shape");
  }
  expect_refused(call(instance, Operation::simulate, batch, {.without_input = true}), Operation::simulate, "without an input");
  expect_unharmed(instance, batch, before, "refused calls");
}

/// With a stop request a call ends early, as CANCELLED, or is done anyway.
std::string check_cancel(Subject& subject, const Instance& instance, const Batch& batch, const CallResult& before) {
  subject.host().ask_to_stop(true);
  const std::int64_t asked = subject.host().stop_questions();
  const CallResult stopped = call(instance, Operation::simulate, batch);
  subject.host().ask_to_stop(false);
  check<CheckFailed>(stopped.status == UNCHANNEL_OK || stopped.status == UNCHANNEL_CANCELLED, "a stop request is answered {}: {}",
                     status_name(stopped.status), stopped.error);
  check<CheckFailed>(stopped.status != UNCHANNEL_CANCELLED || subject.host().stop_questions() > asked,
                     "simulate answers CANCELLED without having asked should_stop.");
  expect_unharmed(instance, batch, before, "a stop request");
  return stopped.status == UNCHANNEL_CANCELLED ? "calls end when asked to stop"
                                               : "calls do not look at should_stop; a long one delays a stop";
}

}  // namespace

void check_error_and_cancel(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const Batch batch = make_batch(*instance, sample_count(instance->layout(), 33));
  const CallResult before = call_ok(*instance, Operation::simulate, batch);
  if (is_program_plugin(request.file)) {  // the host checks tensors before a program sees them, and ends it instead of asking it to stop
    check_bad_sample(*instance, batch, before);
    detail["note"] = "bad signals alone: a program gets no wrong tensors and no stop requests";
    return;
  }
  {
    const auto fresh = subject.create();
    // The shapes are another instance's: an unconfigured one has none to compare with and must refuse before it looks at them.
    expect_refused(call(*fresh, Operation::simulate, batch, {.layout = &instance->layout()}), Operation::simulate, "before configure");
  }
  check_wrong_tensors(*instance, batch, before);
  check_bad_sample(*instance, batch, before);
  detail["note"] = check_cancel(subject, *instance, batch, before);
}

}  // namespace unchannel::conformance
