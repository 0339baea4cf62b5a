// output-complete, guard-pages, no-retain.
#include <cmath>
#include <cstring>
#include <unchannel/plugin_host/parameters.hpp>

#include "checks.hpp"
#include "samples.hpp"
#include "step.hpp"

namespace unchannel::conformance {
namespace {

/// Elements whose bytes are still the fill of both calls: nobody wrote them.
void expect_written(Operation operation, const CallResult& a, unsigned char fill_a, const CallResult& b, unsigned char fill_b) {
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    const Output &left = a.outputs[i], &right = b.outputs[i];
    for (std::size_t byte = 0; byte + 4 <= left.bytes.size(); byte += 4) {
      const auto all = [byte](const Output& output, unsigned char fill) {
        const auto* at = reinterpret_cast<const unsigned char*>(output.bytes.data()) + byte;
        return at[0] == fill && at[1] == fill && at[2] == fill && at[3] == fill;
      };
      check<CheckFailed>(!all(left, fill_a) || !all(right, fill_b), "{} leaves element {} of {} of sample {} unwritten.",
                         operation_name(operation), static_cast<std::int64_t>(byte) % left.row_bytes / 4, left.name,
                         static_cast<std::int64_t>(byte) / left.row_bytes);
    }
    if (!left.is_float) continue;
    for (std::size_t at = 0; at < left.bytes.size() / sizeof(float); ++at) {
      check<CheckFailed>(std::isfinite(a.floats(i)[at]),
                         "{} writes {} into {}; a sample that cannot be done still gets finite numbers and a sample_status.",
                         operation_name(operation), a.floats(i)[at], left.name);
    }
  }
}

/// configure with texts that are gone afterwards, then a call under that configuration.
void configure_and_lock(Subject& subject, Instance& instance, const Batch& batch) {
  const auto values = subject.values();
  auto raw = to_values(subject.description().parameters, values);
  GuardedMemory texts(GuardSide::after);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (!raw[i].text) continue;
    const auto& text = values[i].get_ref<const std::string&>();
    raw[i].text =
        static_cast<const char*>(texts.input("the text of " + subject.description().parameters[i].id, text.c_str(), text.size() + 1));
  }
  const auto outcome = instance.configure_raw(instance.layout().x_shape, raw);
  check<CheckFailed>(outcome.status == UNCHANNEL_OK, "configure refuses the configuration in force: {}", outcome.error);
  texts.lock();
  call_ok(instance, Operation::draw_latents, batch);
  call_ok(instance, Operation::simulate, batch);
}

}  // namespace

void check_output_complete(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const Batch batch = make_batch(*instance, sample_count(instance->layout(), 5));
  const bool comparable = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  const Batch none = batch.rows(instance->layout(), {});
  for (const Operation operation : offered_operations(*instance)) {
    constexpr unsigned char kFirst = 0x7F, kSecond = 0xBF;
    const CallResult a = call_ok(*instance, operation, batch, {.fill = kFirst});
    const CallResult b = call_ok(*instance, operation, batch, {.fill = kSecond});
    expect_written(operation, a, kFirst, b, kSecond);
    const std::string changed = comparable ? difference(operation, a, b) : "";
    check<CheckFailed>(changed.empty(), "what the output buffer held before changes the result: {}.", changed);
    const CallResult empty = call(*instance, operation, none);
    check<CheckFailed>(empty.status == UNCHANNEL_OK, "{} of an empty batch answers {}: {}", operation_name(operation),
                       status_name(empty.status), empty.error);
  }
  const std::string made_up = made_up_latents(*instance);
  if (!made_up.empty()) detail["note"] = made_up;
}

void check_guard_pages(const CheckRequest& request, nlohmann::json&) {
  Subject subject(request);
  const auto instance = subject.configured();
  const Batch batch = make_batch(*instance, 3);
  watch_guards(&report_failure_and_exit);
  std::vector<std::unique_ptr<GuardedMemory>> kept;  // pointers that outlive their call are the next check's business
  for (const GuardSide side : {GuardSide::after, GuardSide::before}) {
    for (const Operation operation : offered_operations(*instance)) {
      for (const std::vector<std::size_t>& rows : {std::vector<std::size_t>{0, 1, 2}, {1}}) {
        kept.push_back(std::make_unique<GuardedMemory>(side));
        call_ok(*instance, operation, batch.rows(instance->layout(), rows), {.memory = kept.back().get()});
      }
    }
  }
}

void check_no_retain(const CheckRequest& request, nlohmann::json&) {
  Subject subject(request);
  const auto instance = subject.configured();
  const Batch batch = make_batch(*instance, 3);
  const bool comparable = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  watch_guards(&report_failure_and_exit);
  std::vector<std::unique_ptr<GuardedMemory>> locked;
  for (const Operation operation : offered_operations(*instance)) {
    CallResult first;
    for (int round = 0; round < 3; ++round) {
      locked.push_back(std::make_unique<GuardedMemory>(GuardSide::after));
      const CallResult result = call_ok(*instance, operation, batch, {.memory = locked.back().get()});
      locked.back()->lock();
      if (round == 0) first = result;
      const std::string changed = comparable ? difference(operation, first, result) : "";
      check<CheckFailed>(changed.empty(), "with other buffers {}.", changed);
    }
  }
  configure_and_lock(subject, *instance, batch);
}

}  // namespace unchannel::conformance
