// The engine's side of docs/benchmarks/throughput.md: answers each line of standard input with one line, so that it stays warm while
// compare.py lets it take turns with PyTorch. `ninja bench_throughput`.
//   cases                                 names, in JSON
//   threads N                             N
//   describe CASE                         architecture, batch and operations, in JSON
//   store CASE FILE                       weights, inputs and output go into FILE (safetensors)
//   step|transport CASE float32|bfloat16  seconds that passed, seconds of processor time
//   gemm SIZE float32|bfloat16            the same for one matrix product
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <exception>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include <unchannel/base/error.hpp>
#include <unchannel/nn/memory.hpp>

#include "work.hpp"

namespace unchannel {
namespace {

bool is_bfloat16(const std::string& precision) {
  check<ConfigError>(precision == "float32" || precision == "bfloat16", "precision '{}' is unknown; float32 or bfloat16.", precision);
  return precision == "bfloat16";
}

std::string text_of(const Cost& cost) { return fmt::format("{:.9f} {:.9f}", cost.elapsed_s, cost.cpu_s); }

class Server {
 public:
  std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string verb, what, how;
    words >> verb >> what >> how;
    if (verb == "cases") return names();
    if (verb == "threads") {
      at::set_num_threads(std::stoi(what));
      return what;
    }
    if (verb == "gemm") return text_of(matrix_product(std::stoll(what), is_bfloat16(how)));
    Work& work = work_on(what);
    if (verb == "describe") return work.description().dump();
    if (verb == "step") return text_of(work.step(is_bfloat16(how)));
    if (verb == "transport") return text_of(work.transport(is_bfloat16(how)));
    check<ConfigError>(verb == "store", "'{}' is no command; see the head of bench_throughput.cpp.", verb);
    work.store(how);
    return how;
  }

 private:
  static std::string names() {
    nlohmann::json list = nlohmann::json::array();
    for (const ThroughputCase& item : throughput_cases()) list.push_back(item.name);
    return list.dump();
  }

  Work& work_on(const std::string& name) {
    if (const auto found = work_.find(name); found != work_.end()) return found->second;
    for (const ThroughputCase& item : throughput_cases()) {
      if (item.name == name) return work_.emplace(name, item).first->second;
    }
    throw ConfigError(fmt::format("'{}' is no case: they are {}.", name, names()));
  }

  std::map<std::string, Work> work_;
};

}  // namespace
}  // namespace unchannel

int main() {
  unchannel::keep_freed_memory();
  unchannel::Server server;
  try {
    for (std::string line; std::getline(std::cin, line);) std::cout << server.answer(line) << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "bench_throughput: " << error.what() << '\n';
    return 2;
  }
  return 0;
}
