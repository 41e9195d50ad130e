#pragma once
// Child processes for tests of whole programs: arguments and environment in; exit code, standard output and error out.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pgad::test {

struct ProcessResult {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;      // the one that ended it, 0 if it exited
  bool timed_out = false;
  std::string out, err;
};

struct ProcessOptions {
  double timeout = 120;                                          // seconds until it is killed
  std::vector<std::pair<std::string, std::string>> environment;  // set over the parent's
  std::string input = "/dev/null";                               // the file that is its standard input
};

// One child, started by the constructor. Killed and reaped at the latest by the destructor. Not thread-safe.
class Process {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Process(const std::vector<std::string>& arguments, const ProcessOptions& options = {})
      : deadline_(Clock::now() +
                  std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.timeout))) {
    std::vector<char*> argv;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    // Files, not pipes: nobody reads while the child runs, and a full pipe would stop it.
    out_ = std::tmpfile();
    err_ = std::tmpfile();
    if (out_ == nullptr || err_ == nullptr) throw std::runtime_error("no temporary file for a child's output");
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    if (pid_ > 0) return;
    const int input = ::open(options.input.c_str(), O_RDONLY);
    ::dup2(input, STDIN_FILENO);
    ::dup2(::fileno(out_), STDOUT_FILENO);
    ::dup2(::fileno(err_), STDERR_FILENO);
    for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(argv[0], argv.data());
    ::dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], std::strerror(errno));
    ::_exit(127);
  }
  ~Process() {
    if (!done_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    if (out_ != nullptr) std::fclose(out_);
    if (err_ != nullptr) std::fclose(err_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Whether it still runs; kills it once its time is up.
  bool running() {
    if (done_) return false;
    int status = 0;
    pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == 0 && Clock::now() > deadline_) {
      result_.timed_out = true;
      ::kill(pid_, SIGKILL);
      ended = ::waitpid(pid_, &status, 0);
    }
    if (ended == 0) return true;
    done_ = true;
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
    return false;
  }
  void send(int signal) {
    if (!done_) ::kill(pid_, signal);
  }
  // Returns once `condition()` is true (then true) or the child has ended.
  template <class Condition>
  bool wait_until(const Condition& condition) {
    while (running()) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  // What it has said on standard error so far.
  std::string errors() const {
    std::string text(std::size_t{1} << 16, '\0');  // pread: the child's place in the file must stay
    const ssize_t n = ::pread(::fileno(err_), text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }
  ProcessResult wait() {
    wait_until([] { return false; });
    result_.out = content(out_);
    result_.err = content(err_);
    return result_;
  }

 private:
  static std::string content(std::FILE* file) {
    std::string text;
    char chunk[4096];
    std::rewind(file);
    while (const std::size_t got = std::fread(chunk, 1, sizeof chunk, file)) text.append(chunk, got);
    return text;
  }

  Clock::time_point deadline_;
  std::FILE* out_ = nullptr;
  std::FILE* err_ = nullptr;
  pid_t pid_ = -1;
  bool done_ = false;
  ProcessResult result_;
};

inline ProcessResult run_process(const std::vector<std::string>& arguments, const ProcessOptions& options = {}) {
  return Process(arguments, options).wait();
}

}  // namespace pgad::test
