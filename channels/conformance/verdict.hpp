#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <unchannel/base/error.hpp>

namespace unchannel::conformance {

/// skip: does not apply to this channel, or nothing could be compared; the reason says which. untested: needs a device that is absent, or a
/// server that does not answer. Neither is a pass.
enum class Verdict { pass, fail, skip, untested };

const char* verdict_name(Verdict verdict);
/// Throws DataError for another text.
Verdict verdict_from_name(const std::string& name);

/// How one check ended. `detail` holds what was measured, and "note" where something was made up or left out.
struct CheckAnswer {
  Verdict verdict = Verdict::fail;
  std::string reason;
  nlohmann::json detail = nlohmann::json::object();
};

/// A check ends by one of these, or returns: then it passed.
class CheckFailed : public Error {
 public:
  using Error::Error;
};
/// configure answers RETRYABLE: what the channel needs is not there, and asking again in every check would only take time.
class CheckUnavailable : public CheckFailed {
 public:
  using CheckFailed::CheckFailed;
};
/// The key in `detail` that tells a CheckUnavailable.
inline constexpr const char* kUnavailable = "unavailable";

class CheckSkipped : public Error {
 public:
  using Error::Error;
};
class CheckUntested : public Error {
 public:
  using Error::Error;
};

}  // namespace unchannel::conformance
