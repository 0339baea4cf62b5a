#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace unchannel {

/// Base of every error this project raises for its users. A message says place, rule, value and remedy.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  /// Process exit code this error maps to.
  virtual int exit_code() const noexcept { return 1; }
};

/// A key, an option or a combination of settings is wrong, or refused by a plugin (exit 2).
class ConfigError : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 2; }
};

/// A plugin failed to load, failed in a call or broke its contract (exit 3).
class PluginError : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 3; }
};

/// A file is missing, malformed or cannot be written (exit 4).
class DataError : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 4; }
};

/// Shapes of data, configuration and model disagree (exit 4).
class ShapeError : public DataError {
 public:
  using DataError::DataError;
};

/// A computation produced a non-finite or meaningless value (exit 5).
class NumericalError : public Error {
 public:
  using Error::Error;
  int exit_code() const noexcept override { return 5; }
};

/// The run was stopped by a signal after writing a checkpoint (exit 128 + signal).
class InterruptedError : public Error {
 public:
  InterruptedError(const std::string& message, int signal) : Error(message), signal_(signal) {}
  int exit_code() const noexcept override { return 128 + signal_; }

 private:
  int signal_;
};

/// Throws E with the formatted message when `condition` is false. Stays in release builds: it is for users, not for bugs.
template <class E, class... Args>
void check(bool condition, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) throw E(fmt::format(message, std::forward<Args>(args)...));
}

}  // namespace unchannel
