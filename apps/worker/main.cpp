#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <unchannel/base/error.hpp>
#include <unchannel/conformance/check_worker.hpp>
#include <unchannel/plugin_host/probe_worker.hpp>
#include <unchannel/plugin_host/serve.hpp>
#include <vector>

namespace {

int usage() {
  std::fputs(
      "usage: unchannel-worker --probe FILE\n"
      "       unchannel-worker --check ID FILE [--channel ID] [--config FILE.toml]\n"
      "       unchannel-worker --check-all FILE [--channel ID] [--config FILE.toml] [--json FILE]\n"
      "       unchannel-worker --serve FILE [--sha256 HEX] [--memory-limit-bytes N] [--threads N] [--end-with-host]\n"
      "Examines a plugin in this process, or (--check-all) in one process for each check; answers are JSON on standard output.\n"
      "--serve hosts a plugin and speaks the worker protocol on standard input and output (docs/reference/worker_protocol.md).\n",
      stderr);
  return 2;
}

template <class Number>
bool read_number(const char* text, Number& number) {
  const auto parsed = std::from_chars(text, text + std::strlen(text), number);
  return parsed.ec == std::errc() && *parsed.ptr == '\0';
}

int serve(int argc, char** argv) {
  unchannel::ServeSettings settings{.file = argv[2]};
  for (int i = 3; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--end-with-host") {
      settings.end_with_host = true;
      continue;
    }
    if (++i == argc) return usage();
    const char* value = argv[i];
    if (option == "--sha256") {
      settings.sha256 = value;
    } else if (option == "--memory-limit-bytes") {
      if (!read_number(value, settings.memory_limit_bytes)) return usage();
    } else if (option == "--threads") {
      if (!read_number(value, settings.threads)) return usage();
    } else {
      return usage();
    }
  }
  try {
    return unchannel::serve_plugin(settings);
  } catch (const unchannel::Error& error) {  // a program that cannot be started
    std::fputs(fmt::format("unchannel-worker: {}\n", error.what()).c_str(), stderr);
    return error.exit_code();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--probe" && argc == 3) return unchannel::probe_in_this_process(argv[2]);
  if (mode == "--serve" && argc >= 3) return serve(argc, argv);
  if (mode == "--check" || mode == "--check-all" || mode == "--digest" || mode == "--fuzz") {
    return unchannel::conformance::run_worker_check({argv + 1, argv + argc});
  }
  return usage();
}
