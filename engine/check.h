#pragma once
// Errors and checks. Everything pgad reports is an Error; programs map UsageError to exit code 2, any other to 1.

#include <pgad/error.h>

#include <sstream>
#include <string>

namespace pgad {

// What was read is the reason: a file or picture that is missing, damaged, or of a kind that is not read. The message
// names it. Where many are read, one such is often left out.
class DataError : public Error {
 public:
  using Error::Error;
};

// A device is the reason: it is missing, failed, or has no memory left. Nothing more can be done with it.
class DeviceError : public Error {
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
