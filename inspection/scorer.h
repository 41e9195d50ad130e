#pragma once
// Scores a stream of images: decoding on background threads, the search in slots that are refilled, results in order.
// Memory does not grow with the number of images.

#include <pgad/region.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "images/loader.h"
#include "inspection/image_queue.h"
#include "model/model.h"

namespace pgad {

struct ScoredImage : ImageResult {
  Sample sample;
  std::string error;  // why the image could not be scored; the rest is empty then
  std::vector<std::string> notes;
  int height = 0, width = 0;  // of the original
  // Where its map is high; of who has scored it (regions.h), not the Scorer's. Empty: not looked for.
  std::optional<std::vector<Region>> regions;
};

struct ScoringProgress {
  double done;  // images; those being searched count by the share that is done
  std::optional<double> seconds_left, seconds_per_image;  // empty before the first step
};

class Scorer {
 public:
  // pictures: whether reconstructions of tiled images are wanted.
  Scorer(Exec& exec, const Model& model, const ScoringConfig& scoring, bool pictures = true);

  // Hands each image to `sink`, in order; stops early once `stop` is true, and hands over what is done. An image that
  // is done makes room for the next.
  void score(const std::vector<Sample>& samples, const ImageSource& source,
             const std::function<void(ScoredImage)>& sink,
             const std::function<void(const ScoringProgress&)>& on_progress = {},
             const std::atomic<bool>* stop = nullptr);
  // The recorded search step; null before the first score().
  StepGraph* graph() { return queue_ ? queue_->search().graph() : nullptr; }
  // Mean of D over images, without a search. on_image is called for each and may throw to stop.
  double mean_critic(const std::vector<Sample>& samples, const ImageSource& source,
                     const std::function<void()>& on_image = {});

 private:
  ImageQueue& queue(int slots);  // all of them free

  Exec& exec_;
  const Model& model_;
  ScoringConfig scoring_;
  bool pictures_;
  std::unique_ptr<ImageQueue> queue_;
};

}  // namespace pgad
