#include "engine/log.h"

#include <mutex>
#include <utility>

namespace pgad {
namespace {

std::mutex mutex;
std::function<void(const std::string&)> log_sink;  // guarded by mutex

}  // namespace

void set_log(std::function<void(const std::string&)> sink) {
  const std::scoped_lock lock(mutex);
  log_sink = std::move(sink);
}

void log_warning(const std::string& text) {
  const std::scoped_lock lock(mutex);
  if (log_sink) log_sink(text);
}

}  // namespace pgad
