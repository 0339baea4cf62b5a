#pragma once

#include <exception>
#include <string>

namespace unchannel::test_support {

/// The message of the exception E that `action` throws; "" when it throws nothing, "another exception: …" when it throws another.
template <class E, class Action>
std::string thrown_message(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "";
}

}  // namespace unchannel::test_support
