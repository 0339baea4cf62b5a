// repeat-bitwise, seed-sensitivity, batch-split.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "checks.hpp"
#include "samples.hpp"

namespace unchannel::conformance {
namespace {

constexpr const char* kNone = "the channel declares determinism NONE and draws no latents, so nothing is promised";

/// The operations whose bits the channel promises: all, or the latents alone.
std::vector<Operation> promised(const Instance& instance, std::int32_t at_least) {
  if (instance.subject().description().determinism >= at_least) return offered_operations(instance);
  const auto& latents = instance.layout().latents;
  const bool any = std::any_of(latents.begin(), latents.end(), [](const LatentLayout& latent) { return latent.active; });
  return any ? std::vector<Operation>{Operation::draw_latents} : std::vector<Operation>{};
}

/// The rows of `whole` that `rows` names, as one result.
CallResult select(const CallResult& whole, const std::vector<std::size_t>& rows) {
  CallResult part;
  part.status = whole.status;
  for (const std::size_t row : rows) part.sample_status.push_back(whole.sample_status[row]);
  for (const Output& output : whole.outputs) {
    Output& to = part.outputs.emplace_back(Output{output.name, {}, output.row_bytes, output.is_float});
    for (const std::size_t row : rows) {
      const auto begin = output.bytes.begin() + static_cast<std::ptrdiff_t>(row) * output.row_bytes;
      to.bytes.insert(to.bytes.end(), begin, begin + output.row_bytes);
    }
  }
  return part;
}

/// Everything random that the channel writes for these keys and ids: latents, then y from fixed latents.
std::vector<CallResult> draws(const Instance& instance, const Batch& batch) {
  return {call_ok(instance, Operation::draw_latents, batch), call_ok(instance, Operation::simulate, batch)};
}

bool same_bytes(const CallResult& a, const CallResult& b) {
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    if (a.outputs[i].bytes != b.outputs[i].bytes) return false;
  }
  return true;
}

/// Correlation of r_i and r_{i+1} over all elements, r = output − its average over samples, times the root of the number of independent
/// pairs that are assumed: one a sample. Beyond ±5 by chance in 6e-7 of all cases at most.
double neighbour_correlation(const Output& output, std::int64_t count) {
  const auto width = static_cast<std::size_t>(output.row_bytes) / sizeof(float);
  const auto* values = reinterpret_cast<const float*>(output.bytes.data());
  std::vector<double> mean(width, 0.0);
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < width; ++j) mean[j] += values[static_cast<std::size_t>(i) * width + j] / static_cast<double>(count);
  }
  double product = 0, square = 0, total = 0;
  for (std::int64_t i = 0; i + 1 < count; ++i) {
    const auto* row = values + static_cast<std::size_t>(i) * width;
    for (std::size_t j = 0; j < width; ++j) {
      product += (row[j] - mean[j]) * (row[width + j] - mean[j]);
      square += (row[j] - mean[j]) * (row[j] - mean[j]);
      total += static_cast<double>(row[j]) * row[j];
    }
  }
  constexpr double kRounding = 1e-10;  // what is left of a constant when its average is taken off
  return square > kRounding * total ? product / square * std::sqrt(static_cast<double>(count)) : 0.0;
}

/// All samples with the x, and the latents, of the first.
Batch same_inputs(const Instance& instance, const Batch& batch) {
  Batch same = batch.rows(instance.layout(), std::vector<std::size_t>(batch.ids.size(), 0));
  same.ids = batch.ids;
  return same;
}

}  // namespace

void check_repeat_bitwise(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);
  const auto instance = subject.configured();
  const auto operations = promised(*instance, UNCHANNEL_DETERMINISM_PER_BATCH);
  if (operations.empty()) throw CheckSkipped(kNone);
  const Batch batch = make_batch(*instance, sample_count(instance->layout(), 13)), other = make_batch(*instance, 5, 77, 90000);
  const auto second = subject.configured();
  for (const Operation operation : operations) {
    const CallResult first = call_ok(*instance, operation, batch);
    const auto expect_same = [&](const Instance& where, const char* what) {
      const std::string changed = difference(operation, first, call_ok(where, operation, batch));
      check<CheckFailed>(changed.empty(), "{}: {}.", what, changed);
    };
    expect_same(*instance, "called again");
    for (const Operation between : offered_operations(*instance)) call_ok(*instance, between, other);
    expect_same(*instance, "called again after other calls with other data");
    expect_same(*second, "on another instance");
  }
  detail["operations"] = operations.size();
}

void check_seed_sensitivity(const CheckRequest& request, nlohmann::json& detail) {
  static constexpr std::array kBits = {0, 1, 5, 13, 24, 31, 32, 33, 40, 47, 55, 62};
  Subject subject(request);
  const auto instance = subject.configured();
  Batch batch = same_inputs(*instance, make_batch(*instance, sample_count(instance->layout()), 0x1234567890ABCDEF, 1000));
  const auto base = draws(*instance, batch);
  std::array<int, 2> keys{}, ids{};
  std::string dead;
  for (const int bit : kBits) {
    Batch flipped = batch;
    flipped.key ^= std::uint64_t{1} << bit;
    const auto by_key = draws(*instance, flipped);
    flipped = batch;
    for (auto& id : flipped.ids) id ^= std::uint64_t{1} << bit;
    const auto by_id = draws(*instance, flipped);
    for (std::size_t what = 0; what < base.size(); ++what) {
      keys[what] += same_bytes(base[what], by_key[what]) ? 0 : 1;
      ids[what] += same_bytes(base[what], by_id[what]) ? 0 : 1;
      if (same_bytes(base[what], by_id[what])) dead += fmt::format("{} id bit {}", dead.empty() ? "" : ",", bit);
    }
  }
  bool any = false;
  for (std::size_t what = 0; what < base.size(); ++what) {
    const char* name = operation_name(what == 0 ? Operation::draw_latents : Operation::simulate);
    if (keys[what] == 0 && ids[what] == 0) continue;  // draws no random numbers
    any = true;
    const int all = static_cast<int>(kBits.size());
    check<CheckFailed>(keys[what] == all, "{}: {} of {} bits of the key make no difference.", name, all - keys[what], all);
    check<CheckFailed>(ids[what] == all, "{}: {} of {} bits of the ids make no difference ({} ).", name, all - ids[what], all, dead);
    for (const Output& output : base[what].outputs) {
      if (!output.is_float) continue;
      const double z = neighbour_correlation(output, batch.count());
      check<CheckFailed>(std::abs(z) < 5, "{}: {} of neighbouring ids is correlated ({:.1f} standard errors).", name, output.name, z);
    }
  }
  if (!any) throw CheckSkipped("the channel draws no random numbers in this configuration.");
  detail["bits"] = kBits.size();
}

namespace {

/// What every operation gave for the whole batch, to be found again in parts.
struct Whole {
  Batch batch;
  std::vector<std::pair<Operation, CallResult>> results;
};

Whole run_parts(const Instance& instance, const std::vector<Operation>& operations) {
  Whole whole{make_batch(instance, sample_count(instance.layout(), 37)), {}};
  const auto count = static_cast<std::size_t>(whole.batch.count());
  std::vector<std::size_t> reversed = range(0, count);
  std::reverse(reversed.begin(), reversed.end());
  struct Part {
    std::vector<std::size_t> rows;
    const char* what;
  };
  const std::array parts = {Part{{0}, "the first sample alone"}, Part{{count - 1}, "the last sample alone"},
                            Part{range(count / 3, count), "the last two thirds"}, Part{reversed, "the samples in reverse order"},
                            Part{{1, 1, 0}, "a sample twice"}};
  for (const Operation operation : operations) {
    whole.results.emplace_back(operation, call_ok(instance, operation, whole.batch));
    for (const Part& part : parts) {
      const CallResult alone = call_ok(instance, operation, whole.batch.rows(instance.layout(), part.rows));
      const std::string changed = difference(operation, select(whole.results.back().second, part.rows), alone);
      check<CheckFailed>(changed.empty(), "{}, compared with the batch of {}: {}.", part.what, count, changed);
    }
  }
  return whole;
}

/// What simulate would have a right to declare after a few calls: "as NONE", "as PER_BATCH (…)" or "as PER_SAMPLE (…)".
std::string seen_determinism(const Instance& instance, const Instance& second) {
  const Batch batch = make_batch(instance, sample_count(instance.layout(), 13));
  const CallResult whole = call_ok(instance, Operation::simulate, batch);
  const auto same = [&](const Instance& where, const std::vector<std::size_t>& rows) {
    const CallResult part = call_ok(where, Operation::simulate, batch.rows(instance.layout(), rows));
    return difference(Operation::simulate, select(whole, rows), part).empty();
  };
  const auto count = batch.ids.size();
  if (!same(instance, range(0, count)) || !same(second, range(0, count))) return "as NONE";
  const bool alone = same(instance, {count - 1}) && same(second, range(count / 3, count)) && same(instance, {1, 1, 0});
  return alone ? "as PER_SAMPLE (declare that when y_i depends on x_i, latents, key and id alone)"
               : "as PER_BATCH (declare that when y depends on the batch alone)";
}

}  // namespace

void check_batch_split(const CheckRequest& request, nlohmann::json& detail) {
  Whole whole;
  {
    Subject subject(request);
    const auto instance = subject.configured();
    const auto operations = promised(*instance, UNCHANNEL_DETERMINISM_PER_SAMPLE);
    const bool all = operations.size() == offered_operations(*instance).size();
    const std::string seen = all ? "" : seen_determinism(*instance, *subject.configured());
    if (!all) detail["seen"] = seen;
    if (operations.empty()) {
      throw CheckSkipped("the channel does not declare PER_SAMPLE and draws no latents. In the calls of this check it behaved " + seen +
                         ".");
    }
    if (!all) detail["note"] = "latents alone: the channel does not declare PER_SAMPLE; in the calls of this check it behaved " + seen;
    whole = run_parts(*instance, operations);
  }
  constexpr std::uint32_t kThreads = 4;
  Subject threaded(request, kThreads);
  const auto instance = threaded.configured();
  if (const auto* threads = instance->extension<unchannel_threads_1>(UNCHANNEL_THREADS_1)) threads->set_budget(instance->raw(), kThreads);
  for (const auto& [operation, result] : whole.results) {
    const std::string changed = difference(operation, result, call_ok(*instance, operation, whole.batch));
    check<CheckFailed>(changed.empty(), "with {} threads instead of 1: {}.", kThreads, changed);
  }
}

}  // namespace unchannel::conformance
