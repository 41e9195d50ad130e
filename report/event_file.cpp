#include "report/event_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "engine/check.h"
#include "images/atomic_file.h"

namespace pgad {
namespace {

constexpr int kBins = 30;  // as many as TensorBoard shows

void put_little_endian(std::string& bytes, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> 8 * i);
}

// A protobuf message: fields one behind the other, each with its number and kind in front.
class Message {
 public:
  Message& integer(int field, std::int64_t value) {
    head(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& real(int field, double value) {
    head(field, 1);
    put_little_endian(bytes_, std::bit_cast<std::uint64_t>(value), 8);
    return *this;
  }
  Message& real32(int field, float value) {
    head(field, 5);
    put_little_endian(bytes_, std::bit_cast<std::uint32_t>(value), 4);
    return *this;
  }
  Message& text(int field, std::string_view value) {
    head(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  Message& reals(int field, std::span<const double> values) {
    std::string packed;
    for (const double v : values) put_little_endian(packed, std::bit_cast<std::uint64_t>(v), 8);
    return text(field, packed);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  void head(int field, int kind) { varint(static_cast<std::uint64_t>(field << 3 | kind)); }
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

// Castagnoli's CRC, turned and shifted, since a CRC over data that hold their own CRC says little.
std::uint32_t masked_crc(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      table[i] = i;
      for (int bit = 0; bit < 8; ++bit) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82f63b78u : 0);
    }
    return table;
  }();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 255] ^ crc >> 8;
  return std::rotr(~crc, 15) + 0xa282ead8u;
}

// An Event with its time and step, framed.
std::string record(std::int64_t step, Message event) {
  event.real(1, std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  event.integer(2, step);
  std::string bytes;
  put_little_endian(bytes, event.bytes().size(), 8);
  put_little_endian(bytes, masked_crc(bytes), 4);
  bytes += event.bytes();
  put_little_endian(bytes, masked_crc(event.bytes()), 4);
  return bytes;
}

// An Event with a Summary of one value, whose content is `field` of Summary.Value.
std::string summary(std::int64_t step, Message value) {
  return record(step, Message().message(5, Message().message(1, value)));
}

}  // namespace

EventFile::EventFile(const std::string& folder, std::int64_t first_step) {
  char host[256] = "";
  if (::gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') host[0] = '-';
  using std::chrono::seconds;
  auto now = std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  do {  // TensorBoard reads the files of a folder in the order of their names
    path_ = (std::filesystem::path(folder) / str("events.out.tfevents.", now++, ".", host)).string();
  } while (std::filesystem::exists(path_));
  constexpr int kStart = 1;  // of SessionLog.SessionStatus
  head_ = record(0, Message().text(3, "brain.Event:2")) +
          record(first_step, Message().message(7, Message().integer(1, kStart)));
  append("");
}

void EventFile::add_scalar(std::string_view tag, std::int64_t step, double value) {
  append(summary(step, Message().text(1, tag).real32(2, static_cast<float>(value))));
}

void EventFile::add_image(std::string_view tag, std::int64_t step, const Image& image) {
  Message content;
  content.integer(1, image.height).integer(2, image.width).integer(3, image.channels).text(4, encode_png(image, path_));
  append(summary(step, Message().text(1, tag).message(4, content)));
}

void EventFile::add_histogram(std::string_view tag, std::int64_t step, std::span<const double> values) {
  std::vector<double> finite;
  std::ranges::copy_if(values, std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  if (finite.empty()) return;
  const auto [least, greatest] = std::ranges::minmax(finite);
  const double width = greatest / kBins - least / kBins;
  const int bins = width > 0 ? kBins : 1;  // all alike: one of no width
  std::vector<double> ends, counts(static_cast<std::size_t>(bins));
  for (int i = 1; i < bins; ++i) ends.push_back(least + i * width);
  ends.push_back(greatest);
  double sum = 0, squares = 0;
  for (const double v : finite) {
    const double bin = width > 0 ? std::min((v - least) / width, bins - 1.0) : 0;
    ++counts[static_cast<std::size_t>(bin)];
    sum += v;
    squares += v * v;
  }
  Message content;
  content.real(1, least).real(2, greatest).real(3, static_cast<double>(finite.size())).real(4, sum).real(5, squares);
  content.reals(6, ends).reals(7, counts);
  append(summary(step, Message().text(1, tag).message(5, content)));
}

// Opened each time, as log.jsonl is: the folder may have been removed.
void EventFile::append(std::string_view records) {
  ensure_directory(std::filesystem::path(path_).parent_path().string());
  const bool begins = !std::filesystem::exists(path_);
  std::ofstream file(path_, std::ios::app | std::ios::binary);
  file << (begins ? head_ + std::string(records) : std::string(records)) << std::flush;
  if (!file) throw Error(str("cannot write '", path_, "': ", std::generic_category().message(errno)));
}

}  // namespace pgad
