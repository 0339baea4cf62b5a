#pragma once

#include <string>

#include "profile.hpp"

namespace unchannel::identification {

enum class Word { kInterval, kUpperLimit, kLowerLimit, kNotIdentifiable, kUnexplained };

/// "interval", "only an upper limit", "only a lower limit", "not identifiable", "no value explains the data".
const char* to_string(Word word);

/// What the profile says of the parameter. NaN where a side is open.
struct Finding {
  Word word = Word::kNotIdentifiable;
  double low = 0, high = 0;
  double estimate = 0;     ///< of an interval: the value with half of the weight below it
  std::size_t ranges = 1;  ///< pieces of the accepted values, where several were found
  std::string reason;      ///< with the figures
  std::string remedy;      ///< empty where nothing is to be done
};

/// The rules of docs/theory/identifiability.md: accepted values inside the range that was tried are an interval; such that reach one of its
/// ends leave a limit on the other side; all accepted: not identifiable; none: no value explains the data. constraint = "none" never gives
/// an interval, "largest" takes the largest accepted value for the true one, "prior" adds the prior's weight.
Finding judge(const Profile& profile, const UnknownSettings& unknown);

}  // namespace unchannel::identification
