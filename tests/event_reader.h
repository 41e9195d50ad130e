#pragma once
// Reads TensorBoard's event files for tests, by nothing of what writes them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pgad::test {

// Bit by bit, as the definition says.
inline std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

inline std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

// A field of a protobuf message: numbers as their bits, anything else as bytes.
struct ProtoField {
  std::uint64_t number = 0;
  std::string bytes;

  double real() const {
    double v;
    std::memcpy(&v, &number, sizeof v);
    return v;
  }
  float real32() const {
    const auto bits = static_cast<std::uint32_t>(number);
    float v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
  std::vector<double> reals() const {
    std::vector<double> values;
    for (std::size_t at = 0; at < bytes.size(); at += 8)
      values.push_back(ProtoField{little_endian(bytes, at, 8), ""}.real());
    return values;
  }
};

// By field number; throws where a number stands twice or the message is cut off.
inline std::map<int, ProtoField> proto_fields(std::string_view message) {
  std::map<int, ProtoField> fields;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(at++));
      value |= std::uint64_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t head = varint();
    ProtoField field;
    switch (head & 7) {
      case 0:
        field.number = varint();
        break;
      case 1:
        field.number = little_endian(message, at, 8);
        at += 8;
        break;
      case 2: {
        const std::uint64_t count = varint();
        if (count > message.size() - at) throw std::runtime_error("a field is cut off");
        field.bytes = message.substr(at, count);
        at += count;
        break;
      }
      case 5:
        field.number = little_endian(message, at, 4);
        at += 4;
        break;
      default:
        throw std::runtime_error("no kind of field");
    }
    if (!fields.emplace(static_cast<int>(head >> 3), field).second) throw std::runtime_error("a field stands twice");
  }
  return fields;
}

struct ReadEvent {
  double seconds = 0;
  std::int64_t step = 0;
  std::map<int, ProtoField> event;  // all of its fields
  std::string tag;                  // of its summary; empty: none
  std::map<int, ProtoField> value;  // all fields of the summary's one value
};

// Of all records; throws where one is cut off or damaged.
inline std::vector<ReadEvent> parse_events(std::string_view bytes) {
  const auto masked = [](std::string_view data) {
    const std::uint32_t crc = crc32c(data);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
  };
  std::vector<ReadEvent> events;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint64_t count = little_endian(bytes, at, 8);
    if (little_endian(bytes, at + 8, 4) != masked(bytes.substr(at, 8))) throw std::runtime_error("damaged length");
    const std::string_view data = bytes.substr(at + 12, count);
    if (data.size() != count || little_endian(bytes, at + 12 + count, 4) != masked(data))
      throw std::runtime_error("damaged record");
    at += 16 + count;
    ReadEvent e;
    e.event = proto_fields(data);
    e.seconds = e.event.at(1).real();
    e.step = static_cast<std::int64_t>(e.event.at(2).number);
    if (const auto summary = e.event.find(5); summary != e.event.end()) {
      e.value = proto_fields(proto_fields(summary->second.bytes).at(1).bytes);
      e.tag = e.value.at(1).bytes;
    }
    events.push_back(e);
  }
  return events;
}

// In the order in which they were begun.
inline std::vector<std::string> event_files(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  return paths;
}

}  // namespace pgad::test
