#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "request.hpp"

namespace unchannel::conformance {

/// The child's side of one check: runs check `id` in this process and writes the answer to standard output as a line of JSON, {"verdict":
/// …, "reason": …, "detail": …}. What the plugin prints goes to standard error. Returns 0 when an answer was written, 2 for a wrong
/// request.
int check_in_this_process(const std::string& id, CheckRequest request);

/// Writes {"digests": {operation: SHA-256}} of fixed calls to standard output: the other side of isolated-parity for the operations that
/// the worker protocol does not carry. Returns 0 or 2.
int digest_in_this_process(CheckRequest request);

/// SHA-256 of what each operation (jvp and adjoint) whose bits the channel promises gives for a fixed batch. Throws CheckFailed.
nlohmann::json result_digests(const CheckRequest& request);

/// `--check ID FILE [--channel ID] [--config FILE]`, `--digest FILE …`, `--fuzz SEED FILE …` and `--check-all FILE … [--json FILE]`, as
/// unchannel-worker takes them. Returns the exit status: 0 passed or answered, 2 usage, 3 a check failed. `arguments` without the program's
/// name.
int run_worker_check(const std::vector<std::string>& arguments);

}  // namespace unchannel::conformance
