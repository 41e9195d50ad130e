#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

namespace pgad {

inline constexpr std::uint64_t kFnv1aStart = 0xcbf29ce484222325u;

// 64-bit FNV-1a (Fowler, Noll, Vo), whose values model files hold. `hash`: that of the bytes before these, where they
// come in parts. Tells things apart that differ by chance; it is no protection against somebody who looks for two that
// agree.
inline std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t hash = kFnv1aStart) {
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
  return hash;
}

inline std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = kFnv1aStart) {
  return fnv1a(std::as_bytes(std::span(text)), hash);
}

// 16 hexadecimal digits.
inline std::string hex(std::uint64_t hash) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

}  // namespace pgad
