#include "images/npy.h"

#include <bit>
#include <cstring>
#include <limits>

#include "engine/check.h"
#include "images/atomic_file.h"

namespace pgad {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in memory");

constexpr std::string_view kMagic("\x93NUMPY", 6);

// The product of the dimensions, or -1 if one is negative or the product overflows.
std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) {
    if (d < 0 || (d > 0 && count > std::numeric_limits<std::int64_t>::max() / 16 / d)) return -1;
    count *= d;
  }
  return count;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += str(i ? ", " : "", shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

struct ArrayHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

// Parser of the header's Python dict literal, restricted to the three keys the format defines.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  ArrayHeader parse() {
    ArrayHeader header;
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        if (peek() != '\'' && peek() != '"') fail("a structured dtype, expected '<f4' or '<f8'");
        header.descr = quoted();
        seen[0] = true;
      } else if (key == "fortran_order") {
        header.fortran_order = boolean();
        seen[1] = true;
      } else if (key == "shape") {
        header.shape = tuple();
        seen[2] = true;
      } else {
        fail(str("unknown key '", key, "'"));
      }
      if (!accept(',') && peek() != '}') fail("expected ',' or '}'");
    }
    if (!seen[0] || !seen[1] || !seen[2]) fail("expected the keys descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw DataError(str("'", path_, "': bad .npy header: ", what)); }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(str("expected '", c, "' at byte ", at_));
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail(str("expected a quoted word at byte ", at_));
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("unterminated string");
    std::string word(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return word;
  }
  bool boolean() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return value;
      }
    }
    fail("fortran_order must be True or False");
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> values;
    expect('(');
    while (!accept(')')) {
      std::int64_t value = 0;
      int digits = 0;
      for (char c = peek(); c >= '0' && c <= '9'; c = at_ < text_.size() ? text_[at_] : '\0') {
        if (++digits > 18) fail("a dimension of more than 18 digits");
        value = value * 10 + (c - '0');
        ++at_;
      }
      if (digits == 0) fail(str("expected a dimension at byte ", at_));
      values.push_back(value);
      if (!accept(',') && peek() != ')') fail("expected ',' or ')' in the shape");
    }
    return values;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

}  // namespace

void write_npy(const std::string& path, std::span<const std::int64_t> shape, std::span<const float> values) {
  PGAD_CHECK(element_count(shape) == static_cast<std::int64_t>(values.size()), "shape ", shape_text(shape), " for ",
             values.size(), " values");
  std::string header = str("{'descr': '<f4', 'fortran_order': False, 'shape': ", shape_text(shape), ", }");
  // Magic, version and length take 10 bytes; the values start at a multiple of 64 so that files can be
  // mapped.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  PGAD_CHECK(header.size() < 65536, "an .npy header of ", header.size(), " bytes");
  write_file_atomically(path, [&](FileWriter& out) {
    const char prefix[4] = {1, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    out.write(kMagic);
    out.write(prefix, sizeof prefix);
    out.write(header);
    out.write(values.data(), values.size_bytes());
  });
}

NpyArray read_npy(const std::string& path) {
  const std::string bytes = read_file(path);
  if (bytes.empty()) throw DataError(str("'", path, "' is empty, expected a .npy file"));
  if (!std::string_view(bytes).starts_with(kMagic)) throw DataError(str("'", path, "' is not a .npy file (bad magic)"));
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  const auto truncated = [&](const char* where) {
    return Error(str("'", path, "': truncated in the .npy ", where, " (", bytes.size(), " bytes)"));
  };
  if (bytes.size() < 12) throw truncated("header");
  if (bytes[6] < 1 || bytes[6] > 2 || bytes[7] != 0) {
    throw DataError(str("'", path, "': .npy version ", byte(6), ".", byte(7), ", expected 1.0 or 2.0"));
  }
  std::size_t length = byte(8) | byte(9) << 8;
  std::size_t start = 10;
  if (bytes[6] == 2) {
    length |= byte(10) << 16 | byte(11) << 24;
    start = 12;
  }
  if (bytes.size() - start < length) throw truncated("header");
  const ArrayHeader header = HeaderParser(std::string_view(bytes).substr(start, length), path).parse();
  const std::size_t width = header.descr == "<f4" ? sizeof(float) : header.descr == "<f8" ? sizeof(double) : 0;
  if (width == 0) throw DataError(str("'", path, "': .npy dtype '", header.descr, "', expected '<f4' or '<f8'"));
  const std::int64_t count = element_count(header.shape);
  // Fortran order differs from C order only where two dimensions exceed 1; refusing it always is simpler to
  // state.
  if (header.fortran_order) throw DataError(str("'", path, "': fortran_order is True, expected C order"));
  const std::size_t have = bytes.size() - start - length;
  if (count < 0 || static_cast<std::size_t>(count) > have / width || count * width != have) {
    throw DataError(str("'", path, "': shape ", shape_text(header.shape), " of '", header.descr, "' does not match ", have,
                    " bytes of data", count < 0 ? "" : str(", expected ", count * width)));
  }
  NpyArray array{header.shape, std::vector<float>(static_cast<std::size_t>(count))};
  const char* data = bytes.data() + start + length;
  if (width == sizeof(float)) {
    if (count > 0) std::memcpy(array.values.data(), data, have);
  } else {
    for (std::size_t i = 0; i < array.values.size(); ++i) {
      double value;
      std::memcpy(&value, data + i * sizeof value, sizeof value);
      array.values[i] = static_cast<float>(value);
    }
  }
  return array;
}

}  // namespace pgad
