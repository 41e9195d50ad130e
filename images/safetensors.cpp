#include "images/safetensors.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "images/atomic_file.h"
#include "images/strict_json.h"

namespace pgad {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little endian and copied as they are");

using Json = nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr const char* kMetadataKey = "__metadata__";

std::optional<std::uint64_t> element_size(std::string_view dtype) {
  static constexpr std::pair<std::string_view, int> kSizes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};
  for (const auto& [name, size] : kSizes)
    if (name == dtype) return size;
  return std::nullopt;
}

std::string to_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += str(i ? "," : "", shape[i]);
  return text + "]";
}

// Bytes of a tensor; nothing if the product leaves 63 bits or a size is negative.
std::optional<std::uint64_t> byte_size(std::span<const std::int64_t> shape, std::uint64_t element) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  std::uint64_t total = element;
  for (const std::int64_t n : shape) {
    if (n < 0) return std::nullopt;
    if (n > 0 && total > kMax / static_cast<std::uint64_t>(n)) return std::nullopt;
    total *= static_cast<std::uint64_t>(n);
  }
  return total;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// Reads one regular file front to back.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
    struct stat info = {};
    if (!file_ || fstat(fileno(file_.get()), &info) != 0)
      throw DataError(str(path, ": cannot open: ", std::strerror(errno)));
    if (!S_ISREG(info.st_mode)) throw DataError(str(path, ": not a regular file"));
    size_ = static_cast<std::uint64_t>(info.st_size);
  }

  std::uint64_t size() const { return size_; }

  void read(void* into, size_t bytes) {
    errno = 0;
    if (bytes == 0 || std::fread(into, 1, bytes, file_.get()) == bytes) return;
    throw DataError(str(path_, ": cannot read: ", errno ? std::strerror(errno) : "the file became shorter"));
  }

 private:
  const std::string& path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::uint64_t size_ = 0;
};

// What the header says of one tensor, checked as far as that needs no other tensor.
struct TensorEntry {
  std::uint64_t begin, end;
  std::string name;
  SafeTensor tensor;  // without its bytes
};

TensorEntry parse_entry(const std::string& path, const std::string& name, const Json& json, std::uint64_t data_bytes) {
  const std::string where = str(path, ": tensor \"", name, "\"");
  if (!json.is_object()) throw DataError(str(where, ": expected an object, found ", json.dump()));
  for (const char* key : {"dtype", "shape", "data_offsets"})
    if (!json.contains(key)) throw DataError(str(where, ": no \"", key, "\""));
  const Json& dtype = json["dtype"];
  const Json& shape = json["shape"];
  const Json& offsets = json["data_offsets"];

  TensorEntry entry{0, 0, name, {}};
  if (!dtype.is_string()) throw DataError(str(where, ": dtype is no string: ", dtype.dump()));
  entry.tensor.dtype = dtype.get<std::string>();
  const auto element = element_size(entry.tensor.dtype);
  if (!element) throw DataError(str(where, ": unknown dtype ", dtype.dump()));

  if (!shape.is_array()) throw DataError(str(where, ": shape is no array: ", shape.dump()));
  for (const Json& n : shape) {
    if (!n.is_number_unsigned() || !std::in_range<std::int64_t>(n.get<std::uint64_t>()))
      throw DataError(str(where, ": shape ", shape.dump(), ", expected whole numbers in [0, 2^63)"));
    entry.tensor.shape.push_back(n.get<std::int64_t>());
  }
  const auto bytes = byte_size(entry.tensor.shape, *element);
  if (!bytes) throw DataError(str(where, ": shape ", shape.dump(), " has more than 2^63 bytes"));

  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned())
    throw DataError(str(where, ": data_offsets ", offsets.dump(), ", expected two whole numbers >= 0"));
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  if (entry.begin > entry.end || entry.end > data_bytes)
    throw DataError(str(where, ": data_offsets ", offsets.dump(), " outside of the ", data_bytes, " bytes of data"));
  if (entry.end - entry.begin != *bytes)
    throw DataError(str(where, ": data_offsets ", offsets.dump(), " hold ", entry.end - entry.begin, " bytes, but ",
                    entry.tensor.dtype, " ", shape.dump(), " has ", *bytes));
  return entry;
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const SafeTensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const SafeTensorView*> order;
  std::set<std::string> names;
  for (const SafeTensorView& t : tensors) {
    const std::string where = str(path, ": tensor \"", t.name, "\"");
    if (t.name == kMetadataKey) throw DataError(str(where, ": this name is taken by the format"));
    if (!names.insert(t.name).second) throw DataError(str(where, ": this name occurs twice"));
    const auto element = element_size(t.dtype);
    if (!element) throw DataError(str(where, ": unknown dtype ", t.dtype));
    const auto bytes = byte_size(t.shape, *element);
    if (!bytes || *bytes != t.bytes.size())
      throw DataError(str(where, ": ", t.dtype, " ", to_text(t.shape), " does not fit ", t.bytes.size(), " bytes"));
    order.push_back(&t);
  }
  std::ranges::stable_sort(order, std::greater{}, [](const SafeTensorView* t) { return *element_size(t->dtype); });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  std::uint64_t offset = 0;
  for (const SafeTensorView* t : order) {
    const std::uint64_t end = offset + t->bytes.size();
    header[t->name] = {{"dtype", t->dtype}, {"shape", t->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& e) {
    throw DataError(str(path, ": a name or metadata cannot be written as JSON: ", e.what()));
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeaderBytes)
    throw DataError(str(path, ": header of ", text.size(), " bytes, the format allows ", kMaxHeaderBytes));

  write_file_atomically(path, [&](FileWriter& out) {
    const std::uint64_t length = text.size();
    out.write(&length, sizeof length);
    out.write(text);
    for (const SafeTensorView* t : order) out.write(t->bytes.data(), t->bytes.size());
  });
}

SafeTensorsFile read_safetensors(const std::string& path) {
  Reader reader(path);
  std::uint64_t header_bytes = 0;
  if (reader.size() < sizeof header_bytes)
    throw DataError(str(path, ": ", reader.size(), " bytes, too short for a safetensors file"));
  reader.read(&header_bytes, sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes)
    throw DataError(str(path, ": header length ", header_bytes, ", the format allows ", kMaxHeaderBytes));
  if (header_bytes > reader.size() - sizeof header_bytes)
    throw DataError(str(path, ": header length ", header_bytes, ", but the file has ", reader.size(), " bytes"));
  const std::uint64_t data_bytes = reader.size() - sizeof header_bytes - header_bytes;

  std::string text(header_bytes, '\0');
  reader.read(text.data(), text.size());
  if (!text.starts_with('{')) throw DataError(str(path, ": the header does not begin with {; not a safetensors file"));
  const Json header = parse_strict_json(text, path);

  SafeTensorsFile file;
  file.path = path;
  std::vector<TensorEntry> entries;
  for (const auto& [key, value] : header.items()) {
    if (key != kMetadataKey) {
      entries.push_back(parse_entry(path, key, value, data_bytes));
      continue;
    }
    if (!value.is_object()) throw DataError(str(path, ": ", kMetadataKey, " is no object: ", value.dump()));
    for (const auto& [name, entry] : value.items()) {
      if (!entry.is_string())
        throw DataError(str(path, ": ", kMetadataKey, " \"", name, "\" is no string: ", entry.dump()));
      file.metadata[name] = entry.get<std::string>();
    }
  }

  std::ranges::sort(entries, {}, [](const TensorEntry& e) { return std::pair(e.begin, e.end); });
  std::uint64_t covered = 0;
  for (TensorEntry& e : entries) {
    if (e.begin != covered)
      throw DataError(str(path, ": tensor \"", e.name, "\": data_offsets [", e.begin, ",", e.end, "] ",
                      e.begin < covered ? "overlap the tensor before, which ends at " : "leave a hole after ",
                      covered));
    covered = e.end;
  }
  if (covered != data_bytes)
    throw DataError(str(path, ": the tensors cover ", covered, " of ", data_bytes, " bytes of data"));
  for (TensorEntry& e : entries) {
    e.tensor.bytes.resize(e.end - e.begin);
    reader.read(e.tensor.bytes.data(), e.tensor.bytes.size());
    file.tensors.emplace(std::move(e.name), std::move(e.tensor));
  }
  return file;
}

const SafeTensor& SafeTensorsFile::get(const std::string& name, const std::string& dtype,
                                       std::span<const std::int64_t> shape) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw DataError(str(path, ": no tensor \"", name, "\", wanted ", dtype, " ", to_text(shape)));
  const SafeTensor& t = found->second;
  if (t.dtype != dtype || !std::ranges::equal(t.shape, shape))
    throw DataError(str(path, ": tensor \"", name, "\": found ", t.dtype, " ", to_text(t.shape), ", wanted ", dtype, " ",
                    to_text(shape)));
  return t;
}

}  // namespace pgad
