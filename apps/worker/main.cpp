#include <cstdio>
#include <string_view>
#include <unchannel/plugin_host/probe_worker.hpp>

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--probe") {
    std::fputs("usage: unchannel-worker --probe FILE\nExamines a plugin in this process; the answer is JSON on standard output.\n", stderr);
    return 2;
  }
  return unchannel::probe_in_this_process(argv[2]);
}
