#include "images/loader.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/check.h"
#include "engine/team.h"
#include "images/tiles.h"

namespace pgad {
namespace {

int thread_count(int wanted, std::size_t most) {
  const int cores = wanted > 0 ? wanted : available_processors();
  return static_cast<int>(std::clamp<std::size_t>(most, 1, static_cast<std::size_t>(cores)));
}

// The message of the exception being handled; that of bad_alloc and the like does not name the image.
std::string reason(const std::exception& e, const Sample& sample) {
  if (dynamic_cast<const Error*>(&e)) return e.what();
  return str("'", sample.path, "': ", e.what());
}

std::vector<std::uint8_t> quantise(const std::vector<float>& unit) {
  std::vector<std::uint8_t> values(unit.size());
  for (std::size_t i = 0; i < unit.size(); ++i) values[i] = static_cast<std::uint8_t>(std::lround(unit[i] * 255.0f));
  return values;
}

// The value preprocess() gives an 8-bit pixel that was not resampled.
const std::array<float, 256>& dequantised() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> t{};
    for (int i = 0; i < 256; ++i) t[static_cast<std::size_t>(i)] = to_signed(static_cast<float>(i) / 255.0f);
    return t;
  }();
  return table;
}

// Averages over squares of 8-bit pixels, in [-1,1]. Sums are exact.
void shrink(const std::uint8_t* in, int from, int channels, int to, float* out) {
  const std::size_t factor = static_cast<std::size_t>(from / to), row = static_cast<std::size_t>(from * channels),
                    columns = static_cast<std::size_t>(to), c = static_cast<std::size_t>(channels);
  if (factor == 1) {
    const std::array<float, 256>& table = dequantised();
    for (std::size_t i = 0; i < row * columns; ++i) out[i] = table[in[i]];
    return;
  }
  const double scale = 1.0 / (255.0 * static_cast<double>(factor * factor));
  std::vector<std::uint32_t> sums(columns * c);
  for (std::size_t y = 0; y < columns; ++y) {
    std::fill(sums.begin(), sums.end(), 0u);
    for (std::size_t dy = 0; dy < factor; ++dy)
      for (std::size_t x = 0; x < columns; ++x)
        for (std::size_t dx = 0; dx < factor; ++dx, in += c)
          for (std::size_t k = 0; k < c; ++k) sums[x * c + k] += in[k];
    for (const std::uint32_t sum : sums) *out++ = to_signed(static_cast<float>(sum * scale));
  }
}

// Calls body(i) for all i below `count` on several threads, until one returns false; body does not throw.
template <class Body>
void for_each_index(std::size_t count, int threads, const Body& body) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> give_up{false};
  const auto work = [&] {
    for (std::size_t i = next++; i < count && !give_up; i = next++)
      if (!body(i)) give_up = true;
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < thread_count(threads, count); ++i) others.emplace_back(work);
  work();
}

// Square crops in place: left and right swapped; turned by quarter turns.
template <class T>
void mirror_square(std::span<T> crop, std::size_t side, std::size_t channels) {
  for (std::size_t y = 0; y < side; ++y) {
    T* row = crop.data() + y * side * channels;
    for (std::size_t x = 0; x < side / 2; ++x)
      std::swap_ranges(row + x * channels, row + (x + 1) * channels, row + (side - 1 - x) * channels);
  }
}
template <class T>
void turn_square(std::span<T> crop, std::size_t side, std::size_t channels, std::uint32_t quarters) {
  for (; quarters > 0; --quarters) {
    const std::vector<T> before(crop.begin(), crop.end());
    for (std::size_t y = 0; y < side; ++y)
      for (std::size_t x = 0; x < side; ++x)
        for (std::size_t c = 0; c < channels; ++c)
          crop[(y * side + x) * channels + c] = before[(x * side + (side - 1 - y)) * channels + c];
  }
}

}  // namespace

Loader::Loader(ImageSource source, const Preprocessing& preprocessing, const LoaderOptions& options)
    : source_(std::move(source)), preprocessing_(preprocessing) {
  const int threads = options.threads > 0 ? options.threads : available_processors();
  slots_.resize(static_cast<std::size_t>(options.capacity > 0 ? options.capacity : 2 * threads));
  for (int i = 0; i < std::min<int>(threads, static_cast<int>(slots_.size())); ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

Loader::Loader(std::span<const Sample> samples, ImageSource source, const Preprocessing& preprocessing,
               const LoaderOptions& options)
    : Loader(std::move(source), preprocessing, {thread_count(options.threads, samples.size()), options.capacity}) {
  samples_ = samples;
  push_samples();
}

Loader::~Loader() {
  // All are told before the first is waited for.
  for (std::jthread& t : threads_) t.request_stop();
}

void Loader::push_samples() {
  while (!samples_.empty() && has_room()) {
    push(samples_.front());
    samples_ = samples_.subspan(1);
  }
}

void Loader::push(Sample sample) {
  PGAD_CHECK(has_room(), "no room for another sample");
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[static_cast<std::size_t>(pushed_) % slots_.size()];
  slot.sample = std::move(sample);
  ++pushed_;
  changed_.notify_all();
}

Loader::Item Loader::load(Sample sample) const {
  Item item;
  try {
    const Image image = source_.load(sample, &item.notes);
    item.height = image.height;
    item.width = image.width;
    item.rows = item.columns = preprocessing_.resolution;
    if (preprocessing_.tiles) {
      const ScaledSize size = scaled_size(image.height, image.width, preprocessing_);
      item.rows = size.height;
      item.columns = size.width;
    }
    item.pixels = preprocess(image, preprocessing_);
  } catch (const std::exception& e) {
    item.error = reason(e, sample);
  }
  item.sample = std::move(sample);
  return item;
}

void Loader::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool go_on = changed_.wait(lock, stop, [&] { return claimed_ < pushed_; });
    if (!go_on || stop.stop_requested()) return;
    const std::int64_t index = claimed_++;
    Slot& slot = slots_[static_cast<std::size_t>(index) % slots_.size()];
    Sample sample = std::move(slot.sample);
    lock.unlock();
    Item item = load(std::move(sample));
    item.index = index;
    lock.lock();
    slot.item = std::move(item);
    changed_.notify_all();
  }
}

std::optional<Loader::Item> Loader::next() {
  std::optional<Item> item;
  {
    std::unique_lock lock(mutex_);
    if (delivered_ == pushed_) return std::nullopt;
    Slot& slot = slots_[static_cast<std::size_t>(delivered_) % slots_.size()];
    changed_.wait(lock, [&] { return slot.item.has_value(); });
    item = std::exchange(slot.item, std::nullopt);
    ++delivered_;
  }
  push_samples();
  return item;
}

std::vector<BadImage> remove_unreadable(std::vector<Sample>& samples, const ImageSource& source, int threads) {
  std::vector<std::string> errors(samples.size());
  for_each_index(samples.size(), threads, [&](std::size_t i) {
    try {
      source.load(samples[i]);
    } catch (const std::exception& e) {
      errors[i] = reason(e, samples[i]);
    }
    return true;
  });
  std::vector<BadImage> bad;
  std::vector<Sample> good;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (errors[i].empty()) {
      good.push_back(std::move(samples[i]));
    } else {
      bad.push_back({samples[i].name, std::move(errors[i])});
    }
  }
  samples = std::move(good);
  return bad;
}

TrainingImages::Stored TrainingImages::load(const Sample& sample, std::string& error) const {
  try {
    Stored stored;
    const Image image = source_.load(sample);
    stored.height = stored.width = preprocessing_.resolution;
    if (preprocessing_.tiles) {
      const ScaledSize size = scaled_size(image.height, image.width, preprocessing_);
      stored.height = size.height;
      stored.width = size.width;
    }
    std::vector<float> pixels = preprocess_unit(image, preprocessing_);
    stored.values = quantise(pixels);
    if (preprocessing_.tiles) {
      for (float& v : pixels) v = to_signed(v);
      stored.brightness = brightness_of(pixels, preprocessing_.channels);
    }
    if (preprocessing_.tiles && !sample.mask_path.empty()) {
      DecodeOptions options = source_.options;
      options.bits = options.expected_bits = 0;  // masks need not be as deep as the images
      options.keep_alpha = true;
      const Image mask = read_image(sample.mask_path, nullptr, options);
      if (mask.height != image.height || mask.width != image.width)
        throw DataError(str(sample.mask_path, ": the mask is ", mask.width, "x", mask.height, ", expected its image's ",
                            image.width, "x", image.height));
      stored.mask = shrink_mask(mask_pixels(mask, std::nan(""), sample.mask_path), mask.height, mask.width,
                                stored.height, stored.width);
      for (std::size_t i = 0; i < stored.mask.size(); ++i)
        if (stored.mask[i]) stored.marked.push_back(static_cast<std::uint32_t>(i));
    }
    return stored;
  } catch (const std::exception& e) {
    error = reason(e, sample);
    return {};
  }
}

TrainingImages::TrainingImages(const std::vector<Sample>& samples, ImageSource source,
                               const Preprocessing& preprocessing, const TrainingImagesOptions& options)
    : source_(std::move(source)), preprocessing_(preprocessing) {
  PGAD_CHECK(preprocessing.resolution > 0 && (preprocessing.channels == 1 || preprocessing.channels == 3),
             preprocessing_to_string(preprocessing));
  const std::size_t count = samples.size();
  std::vector<Stored> all(count);
  std::vector<std::string> errors(count);
  std::atomic<std::size_t> bytes{0};
  for_each_index(count, options.threads, [&](std::size_t i) {
    Stored stored = load(samples[i], errors[i]);
    const bool bad = stored.values.empty();
    const std::size_t size = stored.values.size() + stored.mask.size() + 4 * stored.marked.size();
    if (!bad && bytes.fetch_add(size) + size <= options.byte_limit) all[i] = std::move(stored);
    return !(bad && options.strict);
  });
  for (std::size_t i = 0; i < count; ++i) {
    if (errors[i].empty()) {
      cached_ += !all[i].values.empty();
      samples_.push_back(samples[i]);
      stored_.push_back(std::move(all[i]));
    } else if (options.strict) {
      throw DataError(str("bad training image ", samples[i].name, ": ", errors[i]));
    } else {
      bad_.push_back({samples[i].name, errors[i]});
    }
  }
  if (samples_.empty() && count > 0) {
    throw DataError(str("none of ", count, " images can be used; the first, ", bad_[0].name, ": ", bad_[0].reason));
  }
  if (cached_ == size()) return;
  for (int i = 0; i < thread_count(options.threads, samples_.size()); ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

TrainingImages::~TrainingImages() {
  for (std::jthread& t : threads_) t.request_stop();
}

const Sample& TrainingImages::sample(long index) const {
  check_index(index);
  return samples_[static_cast<std::size_t>(index)];
}

void TrainingImages::check_index(long index) const {
  PGAD_CHECK(index >= 0 && index < size(), "image ", index, " of ", size());
}

void TrainingImages::run_job(long index, Job& job, std::unique_lock<std::mutex>& lock) {
  job.claimed = true;
  lock.unlock();
  std::string error;
  Stored image = load(samples_[static_cast<std::size_t>(index)], error);
  lock.lock();
  job.image = std::move(image);
  job.error = std::move(error);
  job.done = true;
  changed_.notify_all();
}

void TrainingImages::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return !queue_.empty(); }) && !stop.stop_requested()) {
    const long index = queue_.front();
    queue_.pop_front();
    const auto found = jobs_.find(index);
    if (found == jobs_.end() || found->second->claimed) continue;
    const std::shared_ptr<Job> job = found->second;  // outlives its entry, should a prefetch() drop it meanwhile
    run_job(index, *job, lock);
  }
}

void TrainingImages::prefetch(std::span<const long> indices) {
  for (const long index : indices) check_index(index);
  if (cached_ == size()) return;
  const std::lock_guard lock(mutex_);
  std::unordered_map<long, std::shared_ptr<Job>> kept;
  queue_.clear();
  for (const long index : indices) {
    if (in_memory(index) || kept.count(index)) continue;
    const auto found = jobs_.find(index);
    auto& job = kept[index] = found != jobs_.end() ? found->second : std::make_shared<Job>();
    if (!job->claimed) queue_.push_back(index);
  }
  jobs_ = std::move(kept);
  changed_.notify_all();
}

std::unordered_map<long, std::shared_ptr<TrainingImages::Job>> TrainingImages::decode(std::span<const long> indices) {
  for (const long index : indices) check_index(index);
  std::unordered_map<long, std::shared_ptr<Job>> mine;
  if (cached_ == size()) return mine;
  std::unique_lock lock(mutex_);
  std::vector<long> wanted;  // in the order asked for
  for (const long index : indices) {
    if (in_memory(index) || mine.count(index)) continue;
    auto& job = jobs_[index];
    if (!job) {
      job = std::make_shared<Job>();
      queue_.push_back(index);
    }
    mine[index] = job;
    wanted.push_back(index);
  }
  changed_.notify_all();
  // This thread decodes too, then waits for what the others are at. A job dropped from the queue by another
  // thread's prefetch() is thereby done here.
  for (const long index : wanted) {
    if (!mine[index]->claimed) run_job(index, *mine[index], lock);
  }
  for (const long index : wanted) {
    Job& job = *mine[index];
    changed_.wait(lock, [&] { return job.done; });
    const auto found = jobs_.find(index);
    if (found != jobs_.end() && found->second == mine[index]) jobs_.erase(found);
  }
  for (const long index : wanted) {
    if (!mine[index]->error.empty()) throw DataError(mine[index]->error);
  }
  return mine;
}

void TrainingImages::fetch(std::span<const long> indices, int side, float* out) {
  PGAD_CHECK(!preprocessing_.tiles && side > 0 && preprocessing_.resolution % side == 0, side, " of ",
             preprocessing_to_string(preprocessing_));
  const auto decoded = decode(indices);
  for (const long index : indices) {
    const Stored& image = in_memory(index) ? stored_[static_cast<std::size_t>(index)] : decoded.at(index)->image;
    shrink(image.values.data(), preprocessing_.resolution, preprocessing_.channels, side, out);
    out += static_cast<std::size_t>(side) * static_cast<std::size_t>(side) *
           static_cast<std::size_t>(preprocessing_.channels);
  }
}

std::vector<Crop> TrainingImages::crops(std::span<const long> indices, std::span<Rng> generators,
                                        const Augmentation& augmentation) {
  PGAD_CHECK(preprocessing_.tiles && generators.size() == indices.size(), preprocessing_to_string(preprocessing_));
  const int side = augmentation.side > 0 ? augmentation.side : preprocessing_.resolution,
            channels = preprocessing_.channels, margin = augmentation.margin;
  const auto length = static_cast<std::size_t>(side), c = static_cast<std::size_t>(channels);
  const std::array<float, 256>& table = dequantised();
  std::vector<std::uint8_t> bytes(length * length * c);
  const auto decoded = decode(indices);
  std::vector<Crop> all;
  for (std::size_t n = 0; n < indices.size(); ++n) {
    const long index = indices[n];
    const Stored& image = in_memory(index) ? stored_[static_cast<std::size_t>(index)] : decoded.at(index)->image;
    Rng& rng = generators[n];
    // Where the crop begins along an axis: anywhere, or so that `pixel` lies in it.
    const auto start = [&](int size, int pixel) {
      const int most = std::max(0, size - side) + margin;
      const int more = pixel < 0 && margin > 0 ? side / 3 : 0;
      const int low = pixel < 0 ? -margin - more : pixel - side + 1, high = pixel < 0 ? most + more : pixel;
      const int at = low + static_cast<int>(rng.below(static_cast<std::uint32_t>(high - low + 1)));
      return std::clamp(at, -margin, most);
    };
    int row = -1, column = -1;
    if (!image.marked.empty()) {
      const std::uint32_t place = image.marked[rng.below(static_cast<std::uint32_t>(image.marked.size()))];
      row = static_cast<int>(place) / image.width;
      column = static_cast<int>(place) % image.width;
    }
    const int top = start(image.height, row), left = start(image.width, column);
    Crop& crop = all.emplace_back();
    crop.height = crop.width = side;
    crop.brightness = image.brightness;
    cut_square(std::span<const std::uint8_t>(image.values), image.height, image.width, channels, top, left, side,
               std::span(bytes));
    crop.mask.assign(length * length, samples_[static_cast<std::size_t>(index)].anomalous ? 1 : 0);
    if (!image.mask.empty())
      cut_square(std::span<const std::uint8_t>(image.mask), image.height, image.width, 1, top, left, side,
                 std::span(crop.mask));
    if (augmentation.mirror && rng.uniform() < 0.5) {
      mirror_square(std::span(bytes), length, c);
      mirror_square(std::span(crop.mask), length, 1);
    }
    if (augmentation.turns) {
      const std::uint32_t quarters = rng.below(4);
      turn_square(std::span(bytes), length, c, quarters);
      turn_square(std::span(crop.mask), length, 1, quarters);
    }
    crop.pixels.reserve(bytes.size());
    for (const std::uint8_t v : bytes) crop.pixels.push_back(table[v]);
    if (augmentation.jitter > 0) {
      const auto brighter = static_cast<float>(2 * augmentation.jitter * (2 * rng.uniform() - 1)),
                 contrast = static_cast<float>(1 + augmentation.jitter * (2 * rng.uniform() - 1));
      float mean = 0;
      for (const float v : crop.pixels) mean += v / static_cast<float>(crop.pixels.size());
      for (float& v : crop.pixels) v = std::clamp(mean + contrast * (v - mean) + brighter, -1.0f, 1.0f);
    }
  }
  return all;
}

Crop TrainingImages::whole(long index) {
  PGAD_CHECK(preprocessing_.tiles, preprocessing_to_string(preprocessing_));
  const auto decoded = decode(std::span(&index, 1));
  const Stored& image = in_memory(index) ? stored_[static_cast<std::size_t>(index)] : decoded.at(index)->image;
  Crop crop{image.height, image.width, {}, image.mask, image.brightness};
  for (const std::uint8_t v : image.values) crop.pixels.push_back(dequantised()[v]);
  if (crop.mask.empty())
    crop.mask.assign(static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width),
                     samples_[static_cast<std::size_t>(index)].anomalous ? 1 : 0);
  return crop;
}

}  // namespace pgad
