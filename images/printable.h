#pragma once
// File names are bytes; tables, JSON and messages are UTF-8. What is not UTF-8 in a name is written so that it can be
// read back.

#include <cstddef>
#include <string>
#include <string_view>

namespace pgad {
namespace detail {

// Bytes of the UTF-8 character at `at`; 0 where there is none (RFC 3629: no overlong forms, no surrogates).
inline std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : 4;
  if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return 0;
  // The second byte's range depends on the first; those after it are 80 to BF.
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(at + 1) < low || byte(at + 1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (byte(at + i) < 0x80 || byte(at + i) > 0xBF) return 0;
  return length;
}

// The value of a hexadecimal digit, -1 for anything else.
inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Whether \xHH stands at `at`.
inline bool is_escape(std::string_view text, std::size_t at) {
  return at + 3 < text.size() && text[at] == '\\' && text[at + 1] == 'x' && hex_digit(text[at + 2]) >= 0 &&
         hex_digit(text[at + 3]) >= 0;
}

}  // namespace detail

// UTF-8 of any bytes: each byte that is not part of a UTF-8 character becomes \xHH, and so does (as \x5C) a backslash
// that would read as the beginning of such an escape. All other text stays as it is.
inline std::string printable(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = detail::is_escape(bytes, i) ? 0 : detail::utf8_length(bytes, i);
    if (length > 0) {
      text += bytes.substr(i, length);
      i += length;
      continue;
    }
    const auto byte = static_cast<unsigned char>(bytes[i++]);
    text += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

// The bytes again: from_printable(printable(s)) == s for every s.
inline std::string from_printable(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (detail::is_escape(text, i)) {
      bytes += static_cast<char>(detail::hex_digit(text[i + 2]) * 16 + detail::hex_digit(text[i + 3]));
      i += 3;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

}  // namespace pgad
