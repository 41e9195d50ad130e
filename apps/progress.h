#pragma once
// Progress on standard error: one line that is rewritten on a terminal, a plain line now and then elsewhere.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "images/printable.h"

namespace pgad {

class Progress {
 public:
  // plain_interval: seconds between lines when standard error is no terminal.
  explicit Progress(double plain_interval = 10) : terminal_(isatty(STDERR_FILENO) != 0), interval_(plain_interval) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    const double wait = terminal_ ? 0.1 : interval_;
    if (shown_ && std::chrono::duration<double>(now - last_).count() < wait) return;
    last_ = now;
    shown_ = true;
    std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
    std::fflush(stderr);
    open_ = terminal_;
  }
  // A line that stays; what is not UTF-8 in a name is escaped.
  void say(const std::string& text) {
    clear();
    std::fprintf(stderr, "%s\n", printable(text).c_str());
  }

 private:
  void clear() {
    if (open_) std::fprintf(stderr, "\r\033[K");
    open_ = false;
  }
  bool terminal_;
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
