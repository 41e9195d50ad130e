#pragma once

#include <functional>
#include <string>

namespace pgad {

// Where warnings go that are no errors and that no result carries, each one line without its end. By default nowhere:
// a library does not write to its host's terminal. The programs write them to standard error. Belongs to the process;
// may be set at any time, from any thread; `sink` may be called from any thread, by one at a time, and must not throw.
void set_log(std::function<void(const std::string&)> sink);
void log_warning(const std::string& text);

}  // namespace pgad
