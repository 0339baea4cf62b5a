#pragma once

#include <string>
#include <utility>

namespace unchannel::test_support {

/// What the exception of type E says that `body` throws; "nothing was thrown" when it throws none.
template <class E, class F>
std::string message_of(F&& body) {
  try {
    std::forward<F>(body)();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace unchannel::test_support
