#pragma once
// Exit codes, and the wish to stop, which a signal brings.

#include <atomic>
#include <csignal>

namespace pgad {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitAnomaly = 3;  // with --fail-on-anomaly

// Set by SIGINT, SIGTERM and SIGHUP: finish what is at hand, save, and leave.
inline std::atomic<bool> stop_requested{false};

inline void stop_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    // nohup, and a shell that starts something in the background, want a signal ignored.
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = [](int) { stop_requested = true; };
    // A second Ctrl-C ends the program at once. The others are often sent twice (by timeout, by a shell that closes).
    action.sa_flags = static_cast<int>(signal == SIGINT ? SA_RESTART | SA_RESETHAND : SA_RESTART);
    sigaction(signal, &action, nullptr);
  }
  // A reader of our messages that has gone, or a limit on file sizes, must not end the program: writing fails, and that
  // is dealt with where it matters.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace pgad
