#pragma once
// Decoding and preprocessing on background threads: a stream in order for scoring, random access for
// training.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/rng.h"
#include "images/preprocess.h"
#include "images/source.h"
#include "images/surface.h"

namespace pgad {

struct LoaderOptions {
  int threads = 0;   // 0: one per core
  int capacity = 0;  // images decoded ahead of next(); 0: twice the threads. Bounds the memory
};

// Streams samples in the order in which they are pushed. One thread pushes and takes; destruction at any point stops
// the workers after the image they are at.
class Loader {
 public:
  struct Item {
    std::int64_t index = 0;  // how many were pushed before
    Sample sample;
    std::vector<float> pixels;  // rows * columns * channels in [-1,1]; empty if error is set
    int rows = 0;               // the resolution; with tiles the image's size at the working scale
    int columns = 0;
    std::string error;  // why this image cannot be used; empty if it can
    int height = 0;     // of the original
    int width = 0;
    std::vector<std::string> notes;
  };

  Loader(ImageSource source, const Preprocessing& preprocessing, const LoaderOptions& options = {});
  // Pushes all of these by itself. They must outlive the loader: there may be very many.
  Loader(std::span<const Sample> samples, ImageSource source, const Preprocessing& preprocessing,
         const LoaderOptions& options = {});
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  bool has_room() const { return pushed_ - delivered_ < static_cast<std::int64_t>(slots_.size()); }
  std::int64_t pending() const { return pushed_ - delivered_; }  // pushed and not taken
  // Needs room.
  void push(Sample sample);
  // The next item, waiting until it is decoded; empty where none is pending.
  std::optional<Item> next();

 private:
  struct Slot {
    Sample sample;
    std::optional<Item> item;  // when decoded
  };

  void work(const std::stop_token& stop);
  Item load(Sample sample) const;
  void push_samples();

  const ImageSource source_;
  const Preprocessing preprocessing_;
  std::span<const Sample> samples_;  // still to be pushed
  std::int64_t delivered_ = 0;       // items returned by next(); only its thread's
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Slot> slots_;            // ring: item i waits in slot i % capacity. Guarded by mutex_, as are:
  std::int64_t pushed_ = 0;            // <= delivered_ + capacity; written by the caller's thread alone
  std::int64_t claimed_ = 0;           // items taken up by workers
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

struct BadImage {
  std::string name;
  std::string reason;
};

// Takes the images that cannot be decoded out of `samples` and returns them. Reads all of them, on so many threads (0:
// one per core).
std::vector<BadImage> remove_unreadable(std::vector<Sample>& samples, const ImageSource& source, int threads);

// What is done to random crops.
struct Augmentation {
  bool mirror = false;  // left and right swapped, every other time
  bool turns = false;   // by a quarter, a half or three quarters
  double jitter = 0;    // brightness moves and contrast changes by up to this share of the whole range, in [0, 1)
  int side = 0;         // of the crops, pixels; 0: the resolution
  int margin = 0;       // crops may reach so many pixels beyond the image, into its mirror image, and then lie at its
                        // borders more often than elsewhere
};

// A part of an image at the working scale.
struct Crop {
  int height = 0, width = 0;
  std::vector<float> pixels;       // [height, width, channels] in [-1,1]
  std::vector<std::uint8_t> mask;  // [height, width], 1: abnormal; all of an abnormal image that has no mask
  Brightness brightness;           // of the whole image
};

struct TrainingImagesOptions {
  std::size_t byte_limit = std::size_t{2} << 30;  // of preprocessed images kept in memory
  int threads = 0;                                // 0: one per core
  bool strict = false;                            // a bad image is an Error instead of being left out
};

// Random access to preprocessed training images. They are kept as 8-bit values up to the byte limit; the rest
// is decoded again when asked for, and quantised alike, so that values do not depend on the limit. With
// Preprocessing::tiles an image is kept whole, at the working scale, and crops of it are what is asked for.
// Thread-safe.
class TrainingImages {
 public:
  // Reads every image once. Those that cannot be read are left out and listed in bad(); throws Error if none
  // is left (an empty list of samples is allowed), or, if strict, for the first bad one.
  TrainingImages(const std::vector<Sample>& samples, ImageSource source, const Preprocessing& preprocessing,
                 const TrainingImagesOptions& options = {});
  ~TrainingImages();
  TrainingImages(const TrainingImages&) = delete;
  TrainingImages& operator=(const TrainingImages&) = delete;

  long size() const { return static_cast<long>(samples_.size()); }  // without the bad ones
  const Sample& sample(long index) const;
  const std::vector<BadImage>& bad() const { return bad_; }
  long cached() const { return cached_; }  // images in memory
  int channels() const { return preprocessing_.channels; }
  const Preprocessing& preprocessing() const { return preprocessing_; }

  // Without tiles: writes the images one after another, HWC in [-1,1], at `side` (the resolution divided by a power of
  // 2: averages over squares); `out` holds indices.size() * side * side * channels. Throws Error if a file that was
  // good before has become unreadable.
  void fetch(std::span<const long> indices, int side, float* out);

  // With tiles: a random crop of each image, drawn by the image's own generator; it contains a part of the image's mask
  // where there is one, and is mirrored and turned as `augmentation` says. Errors as above.
  std::vector<Crop> crops(std::span<const long> indices, std::span<Rng> generators, const Augmentation& augmentation);
  // With tiles: the image at the working scale, with its whole mask.
  Crop whole(long index);

  // Starts on what the next fetch() will want; replaces the previous wish. Returns at once.
  void prefetch(std::span<const long> indices);

 private:
  struct Stored {
    int height = 0, width = 0;
    std::vector<std::uint8_t> values;   // [height, width, channels]; empty: not in memory
    std::vector<std::uint8_t> mask;     // [height, width]; empty where the image has none
    std::vector<std::uint32_t> marked;  // places of the mask's marked pixels
    Brightness brightness;              // with tiles
  };
  struct Job {
    bool claimed = false;
    bool done = false;
    Stored image;
    std::string error;
  };

  bool in_memory(long index) const { return !stored_[static_cast<std::size_t>(index)].values.empty(); }
  // Those of the images that are not in memory, decoded.
  std::unordered_map<long, std::shared_ptr<Job>> decode(std::span<const long> indices);
  void work(const std::stop_token& stop);
  void run_job(long index, Job& job, std::unique_lock<std::mutex>& lock);
  void check_index(long index) const;
  // Empty values on failure, with the reason in `error`.
  Stored load(const Sample& sample, std::string& error) const;

  std::vector<Sample> samples_;
  const ImageSource source_;
  const Preprocessing preprocessing_;
  std::vector<Stored> stored_;  // by image
  long cached_ = 0;
  std::vector<BadImage> bad_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<long> queue_;                               // wanted, not begun; guarded by mutex_
  std::unordered_map<long, std::shared_ptr<Job>> jobs_;  // wanted, begun or done; guarded by mutex_
  std::vector<std::jthread> threads_;                    // last: joined before the rest goes
};

}  // namespace pgad
