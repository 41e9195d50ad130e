#include "training/schedule.h"

#include <algorithm>
#include <cmath>

namespace pgad {

Phase phase_at(const ScheduleConfig& schedule, int log2_resolution, std::int64_t images) {
  const int start = level_of(schedule.start_resolution);
  const double kimg = static_cast<double>(images) / 1000;
  const double first_lod = log2_resolution - start;

  // Phases are [stable at a size, fade to the next]; lod falls during the fades.
  double lod = first_lod;
  const double length = schedule.stable_kimg + schedule.fade_kimg;
  if (length <= 0) {
    lod = 0;
  } else {
    const double index = std::floor(kimg / length);
    const double into_fade = std::max(0.0, kimg - index * length - schedule.stable_kimg);
    lod -= index + (schedule.fade_kimg > 0 ? into_fade / schedule.fade_kimg : 0.0);
    lod = std::max(0.0, lod);
  }

  Phase phase;
  phase.lod = lod;
  phase.level = log2_resolution - static_cast<int>(std::floor(lod));
  phase.alpha = 1 - (lod - std::floor(lod));
  phase.batch = value_at(schedule.batch, 1 << phase.level);
  phase.lr = value_at(schedule.lr, 1 << phase.level);
  return phase;
}

}  // namespace pgad
