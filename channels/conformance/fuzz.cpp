#include "fuzz.hpp"

#include <unchannel/random.h>

#include <array>
#include <cmath>
#include <limits>
#include <unchannel/plugin_host/program_plugin.hpp>
#include <unchannel/plugin_host/subprocess.hpp>

#include "child_answer.hpp"
#include "samples.hpp"
#include "step.hpp"

namespace unchannel::conformance {
namespace {

constexpr double kChildLimit_s = 15;

/// Numbers that are a pure function of the seed and of how many were taken before.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_(seed) {}
  std::uint32_t below(std::size_t count) {
    return unchannel_below(unchannel_word(seed_, 0, next_++, 0), static_cast<std::uint32_t>(count));
  }
  double uniform() { return unchannel_uniform(seed_, 0, next_++, 0); }
  bool one_in(std::size_t count) { return below(count) == 0; }

 private:
  std::uint64_t seed_;
  std::uint32_t next_ = 0;
};

nlohmann::json random_value(Dice& dice, const ParameterDescription& p, const nlohmann::json& usual) {
  if (p.type == UNCHANNEL_TYPE_BOOL) return dice.one_in(2);
  if (p.type == UNCHANNEL_TYPE_ENUM) return p.choices[dice.below(p.choices.size())];
  if (p.type == UNCHANNEL_TYPE_F64) {
    const double low = std::isfinite(p.min_f64) ? p.min_f64 : -1e6, high = std::isfinite(p.max_f64) ? p.max_f64 : 1e6;
    const double value = dice.one_in(2) ? low + (high - low) * dice.uniform() : usual.get<double>() * (0.5 + dice.uniform());
    return value > p.min_f64 && value < p.max_f64 ? nlohmann::json(value) : usual;
  }
  if (p.type == UNCHANNEL_TYPE_I64) {
    const std::int64_t low = std::max<std::int64_t>(p.min_i64, -1000), high = std::min<std::int64_t>(p.max_i64, 1000);
    return low < high ? nlohmann::json(low + dice.below(static_cast<std::size_t>(high - low + 1))) : usual;
  }
  return usual;
}

ChannelShape random_shape(Dice& dice) {
  if (dice.one_in(2)) return candidate_shapes()[dice.below(candidate_shapes().size())];
  ChannelShape shape(1 + dice.below(3));
  for (auto& extent : shape) extent = 1 + dice.below(40);
  return shape;
}

void expect_documented(const std::string& what, std::int32_t status, const std::string& error) {
  check<CheckFailed>(status >= UNCHANNEL_OK && status <= UNCHANNEL_MODULE_BROKEN, "{} answers {}.", what, status_name(status));
  check<CheckFailed>(status == UNCHANNEL_OK || !error.empty(), "{} answers {} without a reason (set_error was not called).", what,
                     status_name(status));
}

void spoil(Dice& dice, std::vector<float>& x) {
  static const std::array kExtreme = {
      std::numeric_limits<float>::quiet_NaN(), HUGE_VALF, -HUGE_VALF, 0.0F, -0.0F, 3e38F, -3e38F, 1e-45F, -1.0F, 1e10F};
  const bool all = dice.one_in(4);
  const float everywhere = kExtreme[dice.below(kExtreme.size())];
  for (float& value : x) {
    if (all) value = everywhere;
    if (!all && dice.one_in(8)) value = kExtreme[dice.below(kExtreme.size())];
  }
}

/// One call; false when the instance must not be used any more.
bool random_call(Dice& dice, Subject& subject, const Instance& instance) {
  static constexpr std::array kCounts = {0, 1, 2, 7, 33};
  static constexpr std::array kForms = {StructForm::exact,  StructForm::exact,     StructForm::exact,
                                        StructForm::longer, StructForm::too_short, StructForm::chained};
  const auto offered = offered_operations(instance);
  const Operation operation = offered[dice.below(offered.size())];
  const Batch whole = make_inputs(instance, kCounts.back(), dice.below(1u << 30), dice.below(1u << 30));
  Batch batch = whole.rows(instance.layout(), range(0, static_cast<std::size_t>(kCounts[dice.below(kCounts.size())])));
  batch.key = whole.key;
  if (dice.one_in(2)) spoil(dice, batch.x);
  if (dice.one_in(4)) spoil(dice, batch.y);
  GuardedMemory memory(dice.one_in(2) ? GuardSide::after : GuardSide::before);
  subject.host().ask_to_stop(dice.one_in(8));
  CallOptions options{.memory = &memory};
  options.batch_form = kForms[dice.below(kForms.size())];
  options.args_form = kForms[dice.below(kForms.size())];
  if (dice.one_in(10) && operation != Operation::draw_latents) options.output_extra = 1;
  const CallResult result = call(instance, operation, batch, options);
  subject.host().ask_to_stop(false);
  expect_documented(operation_name(operation), result.status, result.error);
  return result.status < UNCHANNEL_INSTANCE_BROKEN;
}

void run_seed(std::uint64_t seed, const CheckRequest& request) {
  constexpr int kConfigurations = 4, kCalls = 12;
  Dice dice(seed);
  Subject subject(request);
  const auto usual = subject.values();
  watch_guards(&report_failure_and_exit);
  auto instance = subject.configured();
  for (int round = 0; round < kConfigurations; ++round) {
    auto values = usual;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (dice.one_in(3)) values[i] = random_value(dice, subject.description().parameters[i], usual[i]);
    }
    const auto outcome = instance->configure(request.x_shape ? *request.x_shape : random_shape(dice), values);
    expect_documented("configure", outcome.status, outcome.error);
    for (int i = 0; i < kCalls; ++i) {
      if (!random_call(dice, subject, *instance)) instance = subject.configured();
    }
  }
}

}  // namespace

int fuzz_in_this_process(std::uint64_t seed, CheckRequest request) {
  open_answer(kChildLimit_s);
  CheckAnswer answer{Verdict::pass, "", nlohmann::json::object()};
  try {
    read_check_config(request);
    run_seed(seed, request);
  } catch (const ConfigError& error) {
    std::fputs((std::string(error.what()) + "\n").c_str(), stderr);
    return 2;
  } catch (const std::exception& error) {
    answer = {Verdict::fail, error.what(), nlohmann::json::object()};
  }
  write_answer({{"verdict", verdict_name(answer.verdict)}, {"reason", answer.reason}, {"detail", answer.detail}});
  return 0;
}

FuzzOutcome fuzz_file(const FuzzSettings& settings) {
  CheckRequest request = settings.request;
  check<ConfigError>(!is_program_plugin(request.file),
                     "{}: is no library; this command examines compiled plugins. `unchannel plugins check` examines the file, "
                     "which always runs in a process of its own.",
                     request.file.string());
  read_check_config(request);
  const std::string worker = find_worker(settings.probe).string();
  FuzzOutcome outcome;
  for (; outcome.tried < settings.seeds; ++outcome.tried) {
    const std::uint64_t seed = settings.first_seed + static_cast<std::uint64_t>(outcome.tried);
    if (settings.progress) settings.progress(seed);
    std::vector<std::string> arguments = {worker, "--fuzz", std::to_string(seed), request.file.string()};
    append_request(arguments, request);
    const CheckAnswer answer = read_child_answer(run_subprocess(arguments, settings.time_limit_s), settings.time_limit_s);
    if (answer.verdict == Verdict::pass) continue;
    outcome.failed = true;
    outcome.seed = seed;
    outcome.reason = answer.reason;
    ++outcome.tried;
    break;
  }
  return outcome;
}

}  // namespace unchannel::conformance
