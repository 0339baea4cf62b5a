#include "check_table.hpp"

#include <algorithm>
#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>

#include "checks.hpp"

namespace unchannel::conformance {

// The time limits leave room for a busy machine: they are there to end a hanging plugin, not to measure.
const std::vector<CheckInfo>& all_checks() {
  static const std::vector<CheckInfo> kChecks = {
      {"elf-exports", "the library exports unchannel_entry and nothing else",
       "link with the SDK's version script unchannel_plugin.map and -fvisibility=hidden -fno-gnu-unique", false, 60, &check_elf_exports},
      {"elf-needed", "the library brings no second OpenMP, BLAS, CUDA runtime, Python or torch into the process",
       "use the host's thread pool, link BLAS and cudart statically, or write the plugin as an executable", false, 60, &check_elf_needed},
      {"load-now-local", "the library loads with all symbols resolved at once and gives none of them to others",
       "link with -Wl,--no-undefined and every library that is needed, all of them installed", false, 60, &check_load_now_local},
      {"scan-cost", "finding out what is inside starts no thread, keeps no file open, and takes little time and memory",
       "move threads, devices, files and tables from constructors, init and create to configure", false, 60, &check_scan_cost},
      {"fp-environment",
       "floating-point mode, locale, working directory, environment and signal handlers stay as they were, nothing is printed",
       "restore what a library changed before returning; no -ffast-math at link time; print through the service log/1", true, 60,
       &check_fp_environment},
      {"abi-sizes", "longer call structs than the plugin knows are accepted, shorter ones and chain pointers are refused",
       "read every call struct with unchannel_take_args(); never compare struct_size with ==", true, 60, &check_abi_sizes},
      {"unknown-id", "unknown ids and indices are answered with NULL, and a host without services is enough",
       "compare ids with strcmp and end with NULL; look whether get_service gave NULL", true, 60, &check_unknown_id},
      {"descriptor", "the descriptor is complete, in form and the same every time", "fill in unchannel_descriptor; see channel.h", true, 60,
       &check_descriptor},
      {"parameter-schema", "every parameter and latent is declared with type, unit, doc, range and a default inside it",
       "fill in unchannel_parameter and unchannel_latent; see channel.h", true, 60, &check_parameter_schema},
      {"parameter-bounds", "the ends of every declared range and every choice work, or are refused with a reason",
       "narrow the declared range, or refuse in configure what cannot work", true, 60, &check_parameter_bounds},
      {"parameter-reject", "values outside the schema are refused with a reason, and the old configuration stays in force",
       "check every value in configure, into a copy, before anything is changed", true, 60, &check_parameter_reject},
      {"config-round-trip", "configuring again from the canonical text gives the same channel, bit for bit",
       "write every parameter into the canonical TOML with 17 digits", true, 60, &check_config_round_trip},
      {"shape-negotiation", "shapes are accepted or refused with a reason; accepted ones work, refusals change nothing",
       "check x_shape in configure before anything is changed; offer lift/1 when y has another shape than x", true, 60,
       &check_shape_negotiation},
      {"lifecycle-2000", "2000 lives of an instance leave no memory, file or thread behind", "free in destroy what create and calls took",
       true, 180, &check_lifecycle_2000},
      {"init-twice", "the module works again after shutdown and init, and instances do not know of each other",
       "keep no state in static variables; let shutdown undo init", true, 60, &check_init_twice},
      {"output-complete", "every output is written completely and is finite", "write all of y, also for samples that failed", true, 60,
       &check_output_complete},
      {"guard-pages", "no call touches memory outside its buffers or writes to its inputs",
       "check the loops' bounds and over-long vector loads", true, 120, &check_guard_pages},
      {"no-retain", "no pointer is kept after the call that lent it", "copy what must outlive the call", true, 120, &check_no_retain},
      {"repeat-bitwise", "the same call gives the same bits, whatever was called in between",
       "let results depend on the arguments alone; or declare determinism NONE", true, 120, &check_repeat_bitwise},
      {"seed-sensitivity", "every bit of key and id matters and samples are uncorrelated",
       "draw all numbers with random.h from the whole key and id", true, 120, &check_seed_sensitivity},
      {"batch-split", "a sample has the same bits in any batch, order and thread count",
       "use ids, never the place in the batch; let no sample see another; or declare determinism PER_BATCH", true, 120, &check_batch_split},
      {"thread-class", "concurrent calls as the thread class allows them give the bits of serial ones",
       "no static or shared scratch memory; or declare a stricter thread class", true, 120, &check_thread_class},
      {"latent-prior", "latents are drawn from the priors that are declared", "correct the prior's text or the draw", true, 120,
       &check_latent_prior},
      {"cpu-gpu-parity", "CUDA operations are declared as they are offered, and agree with those on the CPU",
       "set operations() to what the extensions offer; share one functor between both launchers", true, 120, &check_cpu_gpu_parity},
      {"stream-order", "CUDA work is enqueued on the given stream, and devices that do not exist are refused",
       "launch on batch->stream only; check the device index in prepare", true, 120, &check_stream_order},
      {"derivative-dot", "vjp, jvp and adjoint agree with mean and with each other", "compare each with finite differences of mean", true,
       120, &check_derivative_dot},
      {"loglik-score", "the gradient of loglik is its gradient, and is zero on average over simulated observations",
       "let simulate draw from the very density that loglik computes", true, 120, &check_loglik_score},
      {"error-and-cancel", "wrong calls are refused with a reason, one bad sample harms no other, and a stop request ends the call",
       "check tensors and state in every call, call set_error before returning, ask should_stop in long loops", true, 120,
       &check_error_and_cancel},
      {"isolated-parity", "a worker process gives the same bits", "use no address, process id, time or random_device", true, 120,
       &check_isolated_parity},
  };
  return kChecks;
}

const CheckInfo& find_check(const std::string& id) {
  std::vector<std::string> known;
  for (const CheckInfo& info : all_checks()) {
    if (id == info.id) return info;
    known.emplace_back(info.id);
  }
  throw ConfigError(fmt::format("there is no check '{}'.{}", id, did_you_mean(id, known)));
}

}  // namespace unchannel::conformance
