#pragma once
// Errors and checks. Everything pgad reports is an Error; programs map UsageError to exit code 2, any other to 1.

#include <sstream>
#include <stdexcept>
#include <string>

namespace pgad {

// A failure: bad input file, full disk, violated invariant. The message names the object, the value and what
// was expected.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The request itself is wrong: an option out of its range, an unknown key.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Concatenates its arguments with operator<<.
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  ((out << parts), ...);
  return out.str();
}

namespace detail {
[[noreturn]] inline void check_failed(const char* file, int line, const char* expression, const std::string& message) {
  throw Error(str(file, ":", line, ": check failed: ", expression, message.empty() ? "" : ": ", message));
}
}  // namespace detail

}  // namespace pgad

// Invariants of the code. Bad input from outside throws Error or UsageError with its own words instead.
#define PGAD_CHECK(condition, ...)                                                                            \
  do {                                                                                                        \
    if (!(condition)) ::pgad::detail::check_failed(__FILE__, __LINE__, #condition, ::pgad::str(__VA_ARGS__)); \
  } while (false)
