// isolated-parity.
#include <filesystem>
#include <unchannel/base/sha256.hpp>
#include <unchannel/plugin_host/probe.hpp>
#include <unchannel/plugin_host/subprocess.hpp>

#include "check_worker.hpp"
#include "checks.hpp"
#include "child_answer.hpp"
#include "samples.hpp"

namespace unchannel::conformance {

nlohmann::json result_digests(const CheckRequest& request) {
  Subject subject(request);
  const auto instance = subject.configured();
  const Batch batch = make_batch(*instance, sample_count(instance->layout(), 9), 0xABCDEF, 77);
  nlohmann::json digests = nlohmann::json::object();
  const bool all = subject.description().determinism != UNCHANNEL_DETERMINISM_NONE;
  for (const Operation operation : offered_operations(*instance)) {
    if (!all && operation != Operation::draw_latents) continue;
    const CallResult result = call_ok(*instance, operation, batch);
    if (result.outputs.empty()) continue;
    std::string bytes;
    for (const Output& output : result.outputs) bytes.append(reinterpret_cast<const char*>(output.bytes.data()), output.bytes.size());
    digests[operation_name(operation)] = sha256_text(bytes);
  }
  return digests;
}

void check_isolated_parity(const CheckRequest& request, nlohmann::json& detail) {
  constexpr double kLimit_s = 60;
  const nlohmann::json here = result_digests(request);
  if (here.empty()) throw CheckSkipped("the channel declares determinism NONE and draws no latents, so nothing is promised.");
  std::vector<std::string> arguments = {std::filesystem::read_symlink("/proc/self/exe").string(), "--digest", request.file.string()};
  append_request(arguments, request);
  const SubprocessResult child = run_subprocess(arguments, kLimit_s);
  const nlohmann::json there = nlohmann::json::parse(child.out, nullptr, false);
  check<CheckFailed>(!child.timed_out && there.is_object() && there.contains("digests"), "the second process gives no answer: {}. {}",
                     child.ending(), child.err.substr(0, 300));
  for (const auto& [operation, digest] : here.items()) {
    check<CheckFailed>(there["digests"].value(operation, "") == digest.get<std::string>(), "{} gives other bits in another process.",
                       operation);
  }
  detail["operations"] = here.size();
}

}  // namespace unchannel::conformance
