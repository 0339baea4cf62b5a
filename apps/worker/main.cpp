#include <cstdio>
#include <string_view>
#include <unchannel/conformance/check_worker.hpp>
#include <unchannel/plugin_host/probe_worker.hpp>
#include <vector>

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--probe" && argc == 3) return unchannel::probe_in_this_process(argv[2]);
  if (mode == "--check" || mode == "--check-all" || mode == "--digest" || mode == "--fuzz") {
    return unchannel::conformance::run_worker_check({argv + 1, argv + argc});
  }
  std::fputs(
      "usage: unchannel-worker --probe FILE\n"
      "       unchannel-worker --check ID FILE [--channel ID] [--config FILE.toml]\n"
      "       unchannel-worker --check-all FILE [--channel ID] [--config FILE.toml] [--json FILE]\n"
      "Examines a plugin in this process, or (--check-all) in one process for each check. Answers are JSON on standard output.\n",
      stderr);
  return 2;
}
