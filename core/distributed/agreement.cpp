#include "agreement.hpp"

#include <array>
#include <csignal>
#include <nlohmann/json.hpp>

namespace unchannel {
namespace {

constexpr int kForeign = -1;  // an exception of a library

struct Failure {
  int code = 0;  ///< exit code of our errors, 0 for none
  std::string text;
};

Failure failure_of(const std::function<void()>& local) {
  try {
    local();
  } catch (const RankLostError&) {
    throw;
  } catch (const Error& error) {
    return {error.exit_code(), error.what()};
  } catch (const std::exception& error) {
    return {kForeign, error.what()};
  }
  return {};
}

[[noreturn]] void throw_again(const Failure& failure) {
  switch (failure.code) {
    case 2: throw ConfigError(failure.text);
    case 3: throw PluginError(failure.text);
    case 4: throw DataError(failure.text);
    case 5: throw NumericalError(failure.text);
    case 128 + SIGINT: throw InterruptedError(failure.text, SIGINT);
    case 128 + SIGTERM: throw InterruptedError(failure.text, SIGTERM);
    case kForeign: throw std::runtime_error(failure.text);
    default: throw Error(failure.text);
  }
}

[[noreturn]] void throw_first(Ranks& ranks, const Failure& own) {
  int rank = 0;
  for (const std::string& told : ranks.gather(nlohmann::json({own.code, own.text}).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))) {
    const nlohmann::json failure = nlohmann::json::parse(told);
    if (failure[0] != 0) throw_again({failure[0], fmt::format("{}: {}", ranks.name_of(rank), failure[1].get<std::string>())});
    ++rank;
  }
  throw Error("a rank reported a failure and then none; please report this.");
}

}  // namespace

int together(Ranks& ranks, const std::function<void()>& local, int signal) {
  if (ranks.alone()) {
    local();
    return signal;
  }
  const Failure own = failure_of(local);
  std::array<std::int64_t, 3> counts = {own.code != 0, signal == SIGTERM, signal != 0 && signal != SIGTERM};
  ranks.sum(counts);
  if (counts[0] > 0) throw_first(ranks, own);
  return counts[1] > 0 ? SIGTERM : counts[2] > 0 ? SIGINT : 0;
}

void check_same_everywhere(Ranks& ranks, const nlohmann::json& facts) {
  const std::vector<std::string> all = ranks.gather(facts.dump());
  const nlohmann::json first = nlohmann::json::parse(all.front()).flatten();
  for (std::size_t r = 1; r < all.size(); ++r) {
    const nlohmann::json other = nlohmann::json::parse(all[r]).flatten();
    nlohmann::json places = first;
    places.update(other);
    for (const auto& [place, any] : places.items()) {
      const nlohmann::json there = other.value(place, nlohmann::json()), here = first.value(place, nlohmann::json());
      check<ConfigError>(there == here, "{}: {} differs between the ranks: {} there, {} on {}. Start all ranks with the same program, configuration and "
                         "plugins.",
                         ranks.name_of(static_cast<int>(r)), place.substr(1), there.dump(), here.dump(), ranks.name_of(0));
    }
  }
}

void check_same_weights(Ranks& ranks, const std::string& digest) {
  const std::vector<std::string> all = ranks.gather(digest);
  for (std::size_t r = 1; r < all.size(); ++r) {
    check<NumericalError>(all[r] == all.front(),
                          "{} has other weights than {}: their processors or libraries compute differently. Use machines of one kind. The last checkpoint is "
                          "complete: continue with --resume.",
                          ranks.name_of(static_cast<int>(r)), ranks.name_of(0));
  }
}

}  // namespace unchannel
