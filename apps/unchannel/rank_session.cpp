#include "rank_session.hpp"

#include <fmt/core.h>

namespace unchannel {
namespace {

/// Others may still be on their way out of the step in which all of them failed.
constexpr double kPatience_s = 10.0;

/// The message was said; only the exit code is left.
class SaidError : public Error {
 public:
  explicit SaidError(int code) : Error(""), code_(code) {}
  int exit_code() const noexcept override { return code_; }

 private:
  int code_;
};

[[noreturn]] void end_together(Ranks& ranks, const std::exception& failure, int code) {
  const bool lost = dynamic_cast<const RankLostError*>(&failure) != nullptr;
  const bool all_failed = !lost && ranks.leave(kPatience_s);
  if (!all_failed || ranks.first()) fmt::print(stderr, "unchannel: {}{}\n", all_failed ? "" : ranks.name_of(ranks.rank()) + ": ", failure.what());
  std::fflush(stderr);
  if (!all_failed) ranks.abort(code);
  throw SaidError(code);
}

}  // namespace

void run_as_rank(const std::function<void(Ranks&)>& body) {
  const std::shared_ptr<Ranks> ranks = open_ranks();
  if (ranks->alone()) return body(*ranks);
  try {
    body(*ranks);
  } catch (const Error& error) {
    end_together(*ranks, error, error.exit_code());
  } catch (const std::exception& error) {
    end_together(*ranks, error, 1);
  }
  if (!ranks->leave(kPatience_s)) ranks->abort(RankLostError("").exit_code());
}

}  // namespace unchannel
