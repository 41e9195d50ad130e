// libFuzzer's side of an entry; PGAD_FUZZ_ENTRY is its name.

#include <cstring>

#include "tests/fuzz/entries.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const pgad::fuzz::Entry& entry = [&]() -> const pgad::fuzz::Entry& {
    for (const auto& e : pgad::fuzz::kEntries)
      if (std::strcmp(e.name, PGAD_FUZZ_ENTRY) == 0) return e;
    throw std::runtime_error("no entry " PGAD_FUZZ_ENTRY);
  }();
  pgad::fuzz::run(entry, {reinterpret_cast<const char*>(data), size});
  return 0;
}
