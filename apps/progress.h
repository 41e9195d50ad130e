#pragma once
// Progress on standard error: one line that is rewritten on a terminal, a plain line now and then elsewhere.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "images/printable.h"

namespace pgad {

// --quiet: warnings and errors alone. --verbose: every line stays and says when, one a second.
enum class Verbosity { kQuiet, kNormal, kVerbose };
inline Verbosity verbosity = Verbosity::kNormal;  // set before the first Progress is made

class Progress {
 public:
  // plain_interval: seconds between lines where none can be rewritten.
  explicit Progress(double plain_interval = 10)
      : rewrites_(can_rewrite()), interval_(verbosity == Verbosity::kVerbose ? 1 : plain_interval) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const std::string& text) {
    if (on_update) on_update(text);
    if (verbosity == Verbosity::kQuiet) return;
    const auto now = std::chrono::steady_clock::now();
    const double wait = rewrites_ ? 0.1 : interval_;
    if (shown_ && std::chrono::duration<double>(now - last_).count() < wait) return;
    last_ = now;
    shown_ = true;
    if (rewrites_)
      std::fprintf(stderr, "\r\033[K%s", text.c_str());
    else
      std::fprintf(stderr, "%s%s\n", time_text().c_str(), text.c_str());
    std::fflush(stderr);
    open_ = rewrites_;
  }
  std::function<void(const std::string&)> on_update;  // also sees each text, however often they come

  // A line that stays; what is not UTF-8 in a name is escaped.
  void say(const std::string& text) {
    if (verbosity != Verbosity::kQuiet) warn(text);
  }
  // The same, also with --quiet: what went wrong, or will.
  void warn(const std::string& text) {
    clear();
    std::fprintf(stderr, "%s%s\n", time_text().c_str(), printable(text).c_str());
  }

 private:
  // A terminal that knows the sequence by which a line is erased.
  static bool can_rewrite() {
    const char* const term = std::getenv("TERM");
    return verbosity == Verbosity::kNormal && isatty(STDERR_FILENO) != 0 && term != nullptr && *term != '\0' &&
           std::string_view(term) != "dumb";
  }
  static std::string time_text() {
    if (verbosity != Verbosity::kVerbose) return "";
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char text[16];
    std::strftime(text, sizeof text, "%H:%M:%S ", &local);
    return text;
  }
  void clear() {
    if (open_) std::fprintf(stderr, "\r\033[K");
    open_ = false;
  }
  bool rewrites_;
  double interval_;
  bool shown_ = false, open_ = false;
  std::chrono::steady_clock::time_point last_{};
};

inline std::string duration_text(double seconds) {
  const long s = seconds > 0 && seconds < 1e8 ? static_cast<long>(seconds) : 0;
  char text[32];
  if (s >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld h", s / 3600, s / 60 % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld min", s / 60, s % 60);
  return text;
}

// ", 1:23 min left", or nothing where that is not known yet.
inline std::string time_left_text(const std::optional<double>& seconds) {
  return seconds ? ", " + duration_text(*seconds) + " left" : "";
}

}  // namespace pgad
