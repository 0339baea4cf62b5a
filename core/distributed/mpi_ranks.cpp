#include "mpi_ranks.hpp"

// The C interface alone: the old C++ one would need libraries of its own.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <thread>

namespace unchannel {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostAtOnce = std::size_t{1} << 28;  // elements of one call, whose counts are of type int
constexpr std::size_t kLongestText = std::size_t{1} << 20;
constexpr double kWatchEvery_s = 0.1;
constexpr double kBusy_s = 0.001;  // polled without pause for so long: most waits are shorter
constexpr auto kPause = std::chrono::microseconds(50);

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void require(int status, const char* what) {
  if (status != MPI_SUCCESS) throw RankLostError(fmt::format("MPI failed in {}; the job cannot go on. The last checkpoint is complete.", what));
}

/// Whether a process of this machine is still at work: one that ended stays a zombie until its launcher has noticed.
bool is_alive(long process) {
  std::ifstream stat(fmt::format("/proc/{}/stat", process));
  std::string text;
  if (!std::getline(stat, text)) return false;
  const std::size_t name_end = text.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= text.size() || (text[name_end + 2] != 'Z' && text[name_end + 2] != 'X');
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

class MpiRanks final : public Ranks {
 public:
  MpiRanks() {
    int provided = 0;
    check<ConfigError>(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) == MPI_SUCCESS,
                       "MPI cannot begin. Start the program with the mpirun of the MPI it was built with.");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    // The end has a channel of its own: a rank that leaves must not be taken for one that works.
    require(MPI_Comm_dup(MPI_COMM_WORLD, &ending_), "MPI_Comm_dup");
    const std::string host = host_name();
    for (const std::string& text : gather(fmt::format("{} {}", ::getpid(), host))) {
      const std::size_t space = text.find(' ');
      peers_.push_back({std::stol(text), text.substr(space + 1)});
      peers_.back().here = peers_.back().host == host;
    }
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void sum(std::span<float> values) override { sum_of(values, MPI_FLOAT); }
  void sum(std::span<std::int64_t> values) override { sum_of(values, MPI_INT64_T); }

  void broadcast(std::string& bytes) override {
    std::int64_t length = first() ? static_cast<std::int64_t>(bytes.size()) : 0;
    sum(std::span(&length, 1));
    bytes.resize(static_cast<std::size_t>(length));
    for (std::size_t done = 0; done < bytes.size(); done += kMostAtOnce) {
      const auto count = static_cast<int>(std::min(kMostAtOnce, bytes.size() - done));
      MPI_Request request = MPI_REQUEST_NULL;
      require(MPI_Ibcast(bytes.data() + done, count, MPI_BYTE, 0, MPI_COMM_WORLD, &request), "MPI_Ibcast");
      wait(request);
    }
  }

  std::vector<std::string> gather(const std::string& text) override {
    check<ConfigError>(text.size() <= kLongestText, "a text of {} bytes is to be exchanged between the ranks; {} are the most.", text.size(), kLongestText);
    const int mine = static_cast<int>(text.size());
    std::vector<int> lengths(static_cast<std::size_t>(size_)), offsets(lengths.size());
    MPI_Request request = MPI_REQUEST_NULL;
    require(MPI_Iallgather(&mine, 1, MPI_INT, lengths.data(), 1, MPI_INT, MPI_COMM_WORLD, &request), "MPI_Iallgather");
    wait(request);
    std::exclusive_scan(lengths.begin(), lengths.end(), offsets.begin(), 0);
    std::string all(static_cast<std::size_t>(offsets.back() + lengths.back()), '\0');
    require(MPI_Iallgatherv(text.data(), mine, MPI_BYTE, all.data(), lengths.data(), offsets.data(), MPI_BYTE, MPI_COMM_WORLD, &request), "MPI_Iallgatherv");
    wait(request);
    std::vector<std::string> texts;
    for (std::size_t r = 0; r < lengths.size(); ++r) texts.push_back(all.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(lengths[r])));
    return texts;
  }

  void gather_rows(std::span<const std::byte> mine_NW, std::int64_t rows, std::span<std::byte> all_NW) override {
    if (rows == 0) return;
    std::vector<int> counts, offsets;
    for (int r = 0; r < size_; ++r) {
      const auto [begin, end] = share_of(rows, r, size_);
      offsets.push_back(static_cast<int>(begin));
      counts.push_back(static_cast<int>(end - begin));
    }
    MPI_Datatype row = MPI_DATATYPE_NULL;
    require(MPI_Type_contiguous(static_cast<int>(all_NW.size() / static_cast<std::size_t>(rows)), MPI_BYTE, &row), "MPI_Type_contiguous");
    require(MPI_Type_commit(&row), "MPI_Type_commit");
    MPI_Request request = MPI_REQUEST_NULL;
    require(MPI_Iallgatherv(mine_NW.data(), counts[static_cast<std::size_t>(rank_)], row, all_NW.data(), counts.data(), offsets.data(), row, MPI_COMM_WORLD,
                            &request),
            "MPI_Iallgatherv");
    wait(request);
    MPI_Type_free(&row);
  }

  void set_time_limit(double seconds) override { time_limit_s_ = seconds; }
  double waited_s() const override { return waited_s_; }
  std::string name_of(int rank) const override { return fmt::format("rank {} on {}", rank, peers_[static_cast<std::size_t>(rank)].host); }

  bool leave(double patience_s) override {
    MPI_Request request = MPI_REQUEST_NULL;
    int done = MPI_Ibarrier(ending_, &request) == MPI_SUCCESS ? 0 : -1;
    for (const Clock::time_point start = Clock::now(); done == 0 && since(start) < patience_s; std::this_thread::sleep_for(kPause)) {
      if (MPI_Test(&request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) done = -1;
    }
    return done == 1 && MPI_Finalize() == MPI_SUCCESS;
  }

  void abort(int exit_code) noexcept override { MPI_Abort(MPI_COMM_WORLD, exit_code); }

 private:
  struct Peer {
    long process = 0;
    std::string host;
    bool here = false;
  };

  template <class T>
  void sum_of(std::span<T> values, MPI_Datatype type) {
    for (std::size_t done = 0; done < values.size(); done += kMostAtOnce) {
      const auto count = static_cast<int>(std::min(kMostAtOnce, values.size() - done));
      MPI_Request request = MPI_REQUEST_NULL;
      require(MPI_Iallreduce(MPI_IN_PLACE, values.data() + done, count, type, MPI_SUM, MPI_COMM_WORLD, &request), "MPI_Iallreduce");
      wait(request);
    }
  }

  void wait(MPI_Request& request) {
    const Clock::time_point start = Clock::now();
    double watched_s = 0.0;
    for (int done = 0;;) {
      require(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      const double waited = since(start);
      if (done != 0) {
        waited_s_ += waited;
        return;
      }
      if (waited - watched_s > kWatchEvery_s) {
        watch_peers(waited);
        watched_s = waited;
      }
      // Where ranks share a processor, the one that is waited for may need it.
      waited > kBusy_s ? std::this_thread::sleep_for(kPause) : std::this_thread::yield();
    }
  }

  void watch_peers(double waited) const {
    for (std::size_t r = 0; r < peers_.size(); ++r) {
      if (!peers_[r].here || is_alive(peers_[r].process)) continue;
      throw RankLostError(fmt::format("{} (process {}) has ended; the job cannot go on without it. The last checkpoint is complete: continue with --resume.",
                                      name_of(static_cast<int>(r)), peers_[r].process));
    }
    check<RankLostError>(waited < time_limit_s_,
                         "no answer from the other ranks for {:.0f} s (run.rank_timeout_s): one of them ended, hangs, or its machine cannot be reached. The "
                         "last checkpoint is complete: continue with --resume.",
                         waited);
  }

  int rank_ = 0, size_ = 1;
  MPI_Comm ending_ = MPI_COMM_NULL;
  std::vector<Peer> peers_;
  double time_limit_s_ = 3600.0;
  double waited_s_ = 0.0;
};

}  // namespace

std::shared_ptr<Ranks> open_mpi_ranks() { return std::make_shared<MpiRanks>(); }

}  // namespace unchannel
