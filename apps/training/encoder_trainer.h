#pragma once
// Trains the encoder of a finished model.

#include <functional>

#include "apps/data/loader.h"
#include "apps/model/model.h"

namespace pgad {

struct EncoderProgress {
  std::int64_t images, total_images;
  double loss, images_per_second;
};

// Sets model.encoder: drawn by `seed`, trained by Adam on `images` (normal ones) with G and D frozen, the number of
// images, learning rate and feature weight from model.config.encoder. The result depends on these alone, so that an
// interrupted run repeats it. on_progress is called now and then and may throw to stop. Throws Error if it diverges.
void train_encoder(Exec& exec, Model& model, TrainingImages& images, std::uint64_t seed,
                   const std::function<void(const EncoderProgress&)>& on_progress = {});

}  // namespace pgad
