// PGM and PPM in, as text or binary, up to 16 bits. Own code: the one library that Debian has ends the process on a bad
// file.

#include <charconv>

#include "engine/check.h"
#include "images/decoders.h"

namespace pgad {
namespace {

class PnmReader {
 public:
  explicit PnmReader(const DecodeJob& job) : job_(job), left_(job.bytes.substr(2)) {}

  Samples read() {
    const char kind = job_.bytes[1];
    const bool text = kind == '2' || kind == '3';
    Samples s;
    s.channels = kind == '2' || kind == '5' ? 1 : 3;
    const std::int64_t width = number("width"), height = number("height");
    check_size(height, width, job_);
    s.width = static_cast<int>(width);
    s.height = static_cast<int>(height);
    const std::int64_t white = number("largest value");
    if (white < 1 || white > 65535) corrupt(str("its largest value is ", white, ", expected 1 to 65535"));
    s.white = static_cast<int>(white);
    const std::size_t bytes = text ? 2 : s.white < 256 ? 1 : 2;  // of a value, at least
    if (!text) take();                                           // one white space
    // The last digit of a text needs no space behind it.
    if (left_.size() + (text ? 1 : 0) < s.size() * bytes) truncated();
    s.values.reserve(s.size());
    for (std::size_t i = 0; i < s.size(); ++i) {
      std::int64_t value = 0;
      if (text) {
        value = number("value");
      } else if (bytes == 1) {
        value = static_cast<unsigned char>(left_[i]);
      } else {
        value = static_cast<unsigned char>(left_[2 * i]) << 8 | static_cast<unsigned char>(left_[2 * i + 1]);
      }
      if (value > s.white) corrupt(str("a value of ", value, ", but the largest should be ", s.white));
      s.values.push_back(static_cast<float>(value));
    }
    if (!text) left_.remove_prefix(s.size() * bytes);
    if (left_.size() > 2 && left_[0] == 'P' && left_[1] >= '1' && left_[1] <= '6') {
      job_.note("only the first of several images in the file is read");
    }
    return s;
  }

 private:
  [[noreturn]] void corrupt(const std::string& what) const {
    throw DataError(str("'", job_.name, "': corrupt PGM or PPM: ", what));
  }
  [[noreturn]] void truncated() const {
    throw DataError(str("'", job_.name, "': truncated PGM or PPM: ", job_.bytes.size(), " bytes"));
  }

  char take() {
    if (left_.empty()) truncated();
    const char c = left_.front();
    left_.remove_prefix(1);
    return c;
  }

  // White space and comments, then digits.
  std::int64_t number(const char* what) {
    const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    while (true) {
      if (left_.empty()) truncated();
      if (left_.front() == '#') {
        while (take() != '\n') {
        }
      } else if (space(left_.front())) {
        left_.remove_prefix(1);
      } else {
        break;
      }
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    if (error != std::errc{} || value < 0) corrupt(str("expected its ", what, ", found '", left_.substr(0, 8), "'"));
    left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
    if (!left_.empty() && !space(left_.front()) && left_.front() != '#') {
      corrupt(str("'", left_.front(), "' within its ", what));
    }
    return value;
  }

  const DecodeJob& job_;
  std::string_view left_;
};

}  // namespace

Samples decode_pnm(const DecodeJob& job) { return PnmReader(job).read(); }

}  // namespace pgad
