#include "ranks.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "mpi_ranks.hpp"

namespace unchannel {
namespace {

class SingleRank final : public Ranks {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(std::span<float>) override {}
  void sum(std::span<std::int64_t>) override {}
  void broadcast(std::string&) override {}
  std::vector<std::string> gather(const std::string& text) override { return {text}; }
  void gather_rows(std::span<const std::byte> mine_NW, std::int64_t, std::span<std::byte> all_NW) override {
    std::copy(mine_NW.begin(), mine_NW.end(), all_NW.begin());
  }
  void set_time_limit(double) override {}
  double waited_s() const override { return 0.0; }
  std::string name_of(int) const override { return "this process"; }
  bool leave(double) override { return true; }
  void abort(int) noexcept override {}
};

long number_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::strtol(text, nullptr, 10);
}

/// Processes that a launcher started together with this one; 1 without a launcher. srun alone says SLURM_NTASKS in a batch script, too: only
/// together with its process-management interface did it start this process.
long launched_processes() {
  const bool slurm_step = std::getenv("PMIX_RANK") != nullptr || std::getenv("PMI_RANK") != nullptr;
  return std::max({1L, number_in("OMPI_COMM_WORLD_SIZE"), number_in("PMI_SIZE"), slurm_step ? number_in("SLURM_NTASKS") : 0L});
}

}  // namespace

std::pair<std::int64_t, std::int64_t> share_of(std::int64_t rows, int rank, int ranks) {
  const auto bound = [&](std::int64_t before) { return before * (rows / ranks) + before * (rows % ranks) / ranks; };
  return {bound(rank), bound(rank + 1)};
}

Ranks& single_rank() {
  static SingleRank only;
  return only;
}

std::shared_ptr<Ranks> open_ranks() {
  if (launched_processes() == 1) return {&single_rank(), [](Ranks*) {}};
#ifdef UNCHANNEL_WITH_MPI
  return open_mpi_ranks();
#else
  throw ConfigError(fmt::format("this process is one of {} that a launcher started together, but the program was built without MPI. Install "
                                "libopenmpi-dev and build again, or start one process.",
                                launched_processes()));
#endif
}

}  // namespace unchannel
