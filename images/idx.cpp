#include "images/idx.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <map>
#include <new>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/listing.h"

namespace pgad {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr int kImageDims = 3;
constexpr int kLabelDims = 1;

std::uint32_t big_endian(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

class Inflater {
 public:
  Inflater(std::string_view bytes, const std::string& path) : path_(path), left_(bytes) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Appends up to `most` bytes; fewer only at the end of the data.
  void inflate_some(std::vector<std::uint8_t>& out, std::size_t most) {
    while (most > 0 && !done_) {
      const std::size_t step = std::min(most, kChunkBytes);
      const std::size_t before = out.size();
      out.resize(before + step);
      stream_.next_out = out.data() + before;
      stream_.avail_out = static_cast<uInt>(step);
      // Copies, because zlib wants writable memory.
      const std::size_t feed = std::min(left_.size(), kChunkBytes);
      input_.assign(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(feed));
      stream_.next_in = input_.data();
      stream_.avail_in = static_cast<uInt>(feed);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      left_.remove_prefix(feed - stream_.avail_in);
      const std::size_t made = step - stream_.avail_out;
      out.resize(before + made);
      most -= made;
      if (result == Z_STREAM_END) {
        finish_member();
      } else if (result == Z_MEM_ERROR) {
        throw std::bad_alloc();
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        throw DataError(str("'", path_, "': corrupt gzip data: ", stream_.msg ? stream_.msg : zError(result)));
      } else if (made == 0 && left_.empty()) {
        throw DataError(str("'", path_, "': truncated gzip data"));
      }
    }
  }

 private:
  // A gzip file may be several streams after one another.
  void finish_member() {
    if (left_.empty()) {
      done_ = true;
    } else if (is_gzip(left_)) {
      inflateReset(&stream_);
    } else {
      throw DataError(str("'", path_, "': ", left_.size(), " trailing bytes after the gzip data"));
    }
  }

  const std::string& path_;
  std::string_view left_;
  std::vector<std::uint8_t> input_;
  z_stream stream_{};
  bool done_ = false;
};

struct Header {
  std::size_t data_bytes = 0;
  std::uint32_t dims[3] = {1, 1, 1};
};

Header parse_header(const std::vector<std::uint8_t>& bytes, int dims, const std::string& path) {
  const char* what = dims == kImageDims ? "images (magic 0x00000803)" : "labels (magic 0x00000801)";
  if (bytes.size() < 4) {
    throw DataError(str("'", path, "': truncated IDX file: ", bytes.size(), " bytes, expected ", what));
  }
  if (bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 || bytes[3] != dims) {
    char magic[16];
    std::snprintf(magic, sizeof magic, "0x%08x", static_cast<unsigned>(big_endian(bytes.data())));
    throw DataError(str("'", path, "': bad IDX magic ", magic, ", expected ", what));
  }
  Header header;
  if (bytes.size() < 4 + 4 * static_cast<std::size_t>(dims)) {
    throw DataError(str("'", path, "': truncated IDX header: ", bytes.size(), " bytes"));
  }
  header.data_bytes = 1;
  for (int i = 0; i < dims; ++i) {
    header.dims[i] = big_endian(bytes.data() + 4 + 4 * i);
    if (i > 0 && (header.dims[i] == 0 || header.dims[i] > 65535)) {
      throw DataError(str("'", path, "': IDX images with a side of ", header.dims[i], " pixels, expected 1 to 65535"));
    }
  }
  // count < 2^32 and sides < 2^16: the product fits 64 bits.
  for (const std::uint32_t d : header.dims) header.data_bytes *= d;
  return header;
}

// The data after the header, and the header.
std::vector<std::uint8_t> read_idx(const std::string& path, int dims, Header& header) {
  try {
    const std::string raw = read_file(path);
    if (raw.empty()) throw DataError(str("'", path, "' is empty (0 bytes), expected an IDX file"));
    const std::size_t header_bytes = 4 + 4 * static_cast<std::size_t>(dims);
    std::vector<std::uint8_t> start, data;
    if (is_gzip(raw)) {
      Inflater inflater(raw, path);
      inflater.inflate_some(start, header_bytes);
      header = parse_header(start, dims, path);
      // One byte more than promised shows trailing data without unpacking all of it.
      inflater.inflate_some(data, header.data_bytes + 1);
    } else {
      const auto split = static_cast<std::ptrdiff_t>(std::min(header_bytes, raw.size()));
      start.assign(raw.begin(), raw.begin() + split);
      header = parse_header(start, dims, path);
      data.assign(raw.begin() + split, raw.end());
    }
    if (data.size() < header.data_bytes) {
      throw DataError(
          str("'", path, "': truncated IDX file: ", data.size(), " bytes of data, expected ", header.data_bytes));
    }
    if (data.size() > header.data_bytes) {
      throw DataError(str("'", path, "': trailing bytes in the IDX file: more than the ", header.data_bytes,
                          " bytes its header promises"));
    }
    return data;
  } catch (const std::bad_alloc&) {
    throw DataError(str("'", path, "': not enough memory to read this IDX file"));
  }
}

// The part of a file name before `kind` ("-images-idx3-ubyte"), gz or not; empty if it does not match.
std::string stem_of(std::string name, const std::string& kind) {
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name.ends_with(kind) ? name.substr(0, name.size() - kind.size()) : "";
}

int rank_of(const std::string& name) { return name == "train" ? 0 : name == "t10k" ? 1 : 2; }

}  // namespace

Image IdxImages::image(long index) const {
  if (index < 0 || index >= count) throw DataError(str("'", path, "' has no image ", index, "; it holds ", count));
  Image image{rows, cols, 1, {}};
  const std::size_t size = image.size();
  const std::uint8_t* in = pixels.data() + static_cast<std::size_t>(index) * size;
  image.pixels.resize(size);
  for (std::size_t i = 0; i < size; ++i) image.pixels[i] = static_cast<float>(in[i]) / 255.0f;
  return image;
}

IdxImages read_idx_images(const std::string& path) {
  Header header;
  IdxImages images;
  images.pixels = read_idx(path, kImageDims, header);
  images.path = path;
  images.count = static_cast<long>(header.dims[0]);
  images.rows = static_cast<int>(header.dims[1]);
  images.cols = static_cast<int>(header.dims[2]);
  return images;
}

std::vector<std::uint8_t> read_idx_labels(const std::string& path) {
  Header header;
  return read_idx(path, kLabelDims, header);
}

bool is_idx_images(const std::string& path) {
  constexpr std::string_view kMagic("\0\0\x08\x03", 4);
  try {
    const std::string raw = read_file(path, 1 << 16);  // gzip needs less for its first bytes
    if (!is_gzip(raw)) return std::string_view(raw).starts_with(kMagic);
    std::vector<std::uint8_t> bytes;
    Inflater(raw, path).inflate_some(bytes, kMagic.size());
    return std::equal(bytes.begin(), bytes.end(), kMagic.begin(), kMagic.end());
  } catch (const Error&) {
    return false;
  }
}

std::vector<IdxPair> find_idx_images(const std::string& directory) {
  std::map<std::string, IdxPair> pairs;
  for (const std::string& file : list_files(directory)) {
    const std::string name = stem_of(file, "-images-idx3-ubyte");
    // The listing is sorted: the plain file comes first and stays.
    if (!name.empty()) pairs.emplace(name, IdxPair{name, join_path(directory, file), ""});
  }
  std::vector<IdxPair> sorted;
  sorted.reserve(pairs.size());
  for (auto& [name, pair] : pairs) sorted.push_back(std::move(pair));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const IdxPair& a, const IdxPair& b) { return rank_of(a.name) < rank_of(b.name); });
  return sorted;
}

std::vector<std::uint8_t> read_idx_labels(const IdxPair& pair, const IdxImages& images) {
  std::vector<std::uint8_t> labels = read_idx_labels(pair.labels);
  if (std::ssize(labels) != images.count)
    throw DataError(
        str("'", pair.images, "' holds ", images.count, " images, but '", pair.labels, "' ", labels.size(), " labels"));
  return labels;
}

std::vector<IdxPair> find_idx_pairs(const std::string& directory) {
  std::vector<IdxPair> pairs = find_idx_images(directory);
  for (IdxPair& pair : pairs) {
    const std::string labels = join_path(directory, pair.name + "-labels-idx1-ubyte");
    pair.labels = path_exists(labels) ? labels : path_exists(labels + ".gz") ? labels + ".gz" : "";
    if (pair.labels.empty()) throw DataError(str("'", pair.images, "' has no labels: expected '", labels, "' or .gz"));
  }
  return pairs;
}

}  // namespace pgad
