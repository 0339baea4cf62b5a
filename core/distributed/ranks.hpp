#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <unchannel/base/error.hpp>

// Shape legend: R ranks · N rows · W bytes of a row
namespace unchannel {

/// Another rank of the job ended or does not answer (exit 6). The job cannot go on; its last checkpoint is complete.
class RankLostError : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 6; }
};

/// The processes that do one training together. Every call is collective: all ranks make the same calls in the same order with buffers of the
/// same sizes. Results are the same bits on every rank. Waiting throws RankLostError when a process of this machine is gone, or when nothing
/// came for the time limit.
class Ranks {
 public:
  virtual ~Ranks() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool first() const { return rank() == 0; }
  bool alone() const { return size() == 1; }

  /// Sums over the ranks, element by element, in place.
  virtual void sum(std::span<float> values) = 0;
  virtual void sum(std::span<std::int64_t> values) = 0;
  /// Every rank gets the first one's bytes.
  virtual void broadcast(std::string& bytes) = 0;
  /// Every rank gets all texts, in the order of the ranks; each at most 1 MiB.
  virtual std::vector<std::string> gather(const std::string& text) = 0;
  /// all_NW: the rows of rank 0, then those of rank 1, …; rank r has the share_of(N, r, R) rows, given in mine_NW.
  virtual void gather_rows(std::span<const std::byte> mine_NW, std::int64_t rows, std::span<std::byte> all_NW) = 0;

  /// Longest wait for another rank, in seconds.
  virtual void set_time_limit(double seconds) = 0;
  /// Seconds that this rank has waited in the calls above: for other ranks and for the network.
  virtual double waited_s() const = 0;
  /// "rank 3 on node7", for messages.
  virtual std::string name_of(int rank) const = 0;

  /// The end: true when all ranks come to it within `patience_s`. No further call after that.
  virtual bool leave(double patience_s) = 0;
  /// Ends all ranks at once.
  virtual void abort(int exit_code) noexcept = 0;
};

/// Rows [first, second) of `rows` that belong to `rank`: contiguous and nearly equal parts.
std::pair<std::int64_t, std::int64_t> share_of(std::int64_t rows, int rank, int ranks);

/// The only process of its job.
Ranks& single_rank();

/// The ranks that mpirun or srun started together, or the single one when nobody did: MPI is not touched then. Throws ConfigError when the
/// launcher started several and this build has no MPI, or MPI cannot begin.
std::shared_ptr<Ranks> open_ranks();

}  // namespace unchannel
