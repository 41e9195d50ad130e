#include "apps/watch.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <thread>
#include <unordered_map>

#include "apps/output_folder.h"
#include "apps/progress.h"
#include "apps/result_header.h"
#include "apps/signals.h"
#include "images/folder_watch.h"
#include "images/printable.h"
#include "inspection/drift.h"
#include "inspection/session.h"
#include "model/tuning_file.h"
#include "report/decision_folders.h"
#include "report/watch_page.h"
#include "report/watch_results.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kRetry = 5;             // seconds between attempts at what failed
constexpr double kBacklog = 60;          // seconds of work that wait, from which on it is said
constexpr std::size_t kDriftEvery = 50;  // images between tests

double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

fs::path resolved(const std::string& path) {
  std::error_code error;
  const fs::path result = fs::weakly_canonical(fs::absolute(path), error);
  return error ? fs::absolute(path).lexically_normal() : result;
}

// `inner` is `outer` or lies below it.
bool lies_in(const std::string& inner, const std::string& outer) {
  const fs::path in = resolved(inner), out = resolved(outer);
  return std::mismatch(out.begin(), out.end(), in.begin(), in.end()).first == out.end();
}

void check_folders(const WatchOptions& o) {
  for (const auto& [name, folder] : {std::pair{"--out", &o.out}, {"--move-to", &o.move_to}, {"--link-to", &o.link_to}})
    if (!folder->empty() && lies_in(*folder, o.input))
      throw UsageError(str(name, " '", *folder, "' lies in the folder that is watched, '", o.input,
                           "': what is written there would be watched too; give one outside of it"));
  const bool begun = path_exists(join_path(o.out, "scores.jsonl"));
  for (const char* name : {"scores.json", "scores.json.part"})
    if (!begun && path_exists(join_path(o.out, name)))
      throw UsageError(str("'", o.out, "' holds results of score or evaluate (", name,
                           "), which would be lost; give watch an --out of its own"));
}

// One call of watch().
class Watcher : public SampleFeed {
 public:
  Watcher(const WatchOptions& o, Session& s, Progress& progress)
      : o_(o),
        s_(s),
        progress_(progress),
        threshold_(s.threshold(o.threshold)),
        regions_(s.regions(o.region_threshold)),
        folder_(o.input, {1, o.rescan}),
        page_(s.model, o.out, o.input, threshold_, s.config.scoring.map_sigma) {
    s.set_up(source_);
    if (!o.move_to.empty()) sorting_.emplace(Sorting::kMove, o.move_to);
    if (!o.link_to.empty()) sorting_.emplace(Sorting::kLink, o.link_to);
    const std::vector<std::string> notes = s.notes(!std::isnan(o.threshold));
    for (const std::string& note : notes) progress.say("note: " + note);
    nlohmann::ordered_json header = result_header(s, o.model, notes, {}, threshold_, regions_);
    header["relative_to"] = printable((fs::absolute(o.input) / "").lexically_normal().string());
    header["maps"] = o.maps;
    ResultOptions options;
    options.out = o.out;
    options.maps = o.maps;
    options.threshold = threshold_;
    options.map_sigma = s.config.scoring.map_sigma;
    results_.emplace(s.model, options, header, [&](const nlohmann::ordered_json& row) {
      const auto [name, version] = watched_image(row);
      folder_.know(name, version);
      page_.add(row, nullptr);
      // The program may have ended before the image was moved.
      if (sorting_) to_sort_.push_back({name, version, decision_of(row), false});
    });
    if (results_->rows() > 0) progress.say(str("going on with ", o.out, ": ", results_->rows(), " rows are there"));
    earlier_ = results_->rows();
  }

  int run() {
    progress_.say("on " + s_.exec->description());
    progress_.say(str("watching ", o_.input, "; ended by Ctrl-C or SIGTERM"));
    stop_on_signals();
    Scorer scorer(*s_.exec, s_.model, s_.config.scoring);
    scorer.score(
        *this, source_, [&](ScoredImage image) { take(std::move(image)); }, [&](const ScoringProgress&) { tell(); },
        &stop_requested);
    sort();
    page(true);
    save_tuning(*s_.exec, s_.run.tuning);
    progress_.say(str("ended: ", judged(), " images judged, ", anomalous_, " of them anomalous, ", failed_,
                      " could not be read; ", arrived_.size() + under_way_.size(), " wait for the next start"));
    return 0;
  }

  // ---- SampleFeed
  std::optional<Sample> next() override {
    if (arrived_.empty()) look(0);
    if (arrived_.empty()) return std::nullopt;
    const Arrival arrival = std::move(arrived_.front());
    arrived_.pop_front();
    under_way_.push_back(arrival);
    return Sample{arrival.name, join_path(o_.input, arrival.name), -1, "", false, ""};
  }
  bool ended() const override { return false; }
  void wait(double seconds) override {
    look(seconds);
    busy_since_.reset();
    tell();
  }

 private:
  struct Sorted {
    std::string name;
    FileVersion version;
    std::string decision;
    bool said = false;  // that it could not be done
  };

  std::int64_t judged() const { return results_->rows() - earlier_; }
  std::int64_t waiting() const { return static_cast<std::int64_t>(arrived_.size() + under_way_.size()); }

  void look(double seconds) {
    for (Arrival& arrival : folder_.poll(seconds)) arrived_.push_back(std::move(arrival));
    for (const std::string& note : folder_.take_notes()) progress_.warn(note);
  }

  // From the Scorer, in the order in which next() gave them.
  void take(ScoredImage image) {
    while (under_way_.front().name != image.sample.name) under_way_.pop_front();  // after a stop some are missing
    const Arrival arrival = std::move(under_way_.front());
    under_way_.pop_front();
    // Meanwhile it may have gone, or another may be there, which comes as another arrival.
    const auto version = file_version(image.sample.path);
    if (version ? *version != arrival.version : !image.error.empty()) {
      progress_.say(str("not judged: ", image.sample.name, version ? " has changed" : " has gone", " meanwhile"));
      folder_.forget(arrival.name, arrival.version);  // a drive may only have been away for a moment
      return;
    }
    for (const std::string& note : image.notes) progress_.say(str("note: ", image.sample.name, ": ", note));
    double combined = std::nan("");
    if (image.error.empty()) combined = s_.judge(image, threshold_, regions_);
    if (!image.error.empty()) {
      progress_.warn("not scored: " + image.error);
      ++failed_;
    }
    const auto row = add(image, arrival.version);
    if (!row) return;
    const std::string decision = decision_of(*row);
    anomalous_ += decision == "anomalous";
    if (o_.json_lines) print_row(*row);
    if (sorting_) {
      to_sort_.push_back({arrival.name, arrival.version, decision, false});
      sort();
    }
    try {
      page_.add(*row, &image);
    } catch (const std::exception& e) {
      say_page_failed(e.what());
    }
    page(false);
    if (!std::isnan(combined)) watch_drift(combined);
  }

  // The row, tried until it is written: a disk may have room again. Empty if the program was told to stop meanwhile:
  // then the next start judges the image again.
  std::optional<nlohmann::ordered_json> add(const ScoredImage& image, const FileVersion& version) {
    while (true) {
      try {
        auto row = results_->add(image, version, source_);
        if (!trouble_.empty()) progress_.warn("the results can be written again");
        trouble_.clear();
        return row;
      } catch (const Error& e) {
        if (trouble_.empty())
          progress_.warn(str(e.what(), "; images wait until it can be written, tried every ", kRetry, " s"));
        trouble_ = e.what();
      }
      page(false);
      for (const auto begin = Clock::now(); seconds_since(begin) < kRetry;) {
        if (stop_requested) return std::nullopt;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        look(0);  // the system's queue of events is bounded
      }
    }
  }

  // Moves or links what has been judged; what cannot be is tried again.
  void sort() {
    if (to_sort_.empty() || (sort_failed_ && seconds_since(*sort_failed_) < kRetry && !stop_requested)) return;
    std::deque<Sorted> left;
    for (Sorted& image : std::exchange(to_sort_, {})) {
      try {
        sorting_->put(o_.input, image.name, image.version, image.decision);
      } catch (const std::exception& e) {
        if (!image.said) progress_.warn(str(e.what(), "; tried again every ", kRetry, " s, and at the next start"));
        image.said = true;
        left.push_back(std::move(image));
      }
    }
    to_sort_ = std::move(left);
    if (!to_sort_.empty()) {
      sort_failed_ = Clock::now();
      return;
    }
    sort_failed_.reset();
  }

  void page(bool ended) {
    WatchPage::State state;
    state.waiting = waiting();
    state.images_per_second = rate();
    state.trouble = trouble_;
    state.ended = ended;
    try {
      page_.update(state);
    } catch (const std::exception& e) {
      say_page_failed(e.what());
    }
  }
  void say_page_failed(const std::string& reason) {
    if (!page_failed_) progress_.warn(reason);
    page_failed_ = true;
  }

  // Images a second since there was nothing to do.
  std::optional<double> rate() const {
    if (!busy_since_ || judged() <= busy_from_) return std::nullopt;
    return static_cast<double>(judged() - busy_from_) / std::max(seconds_since(*busy_since_), 1e-3);
  }

  void tell() {
    if (!busy_since_ && waiting() > 0) {
      busy_since_ = Clock::now();
      busy_from_ = judged();
    }
    sort();
    page(false);
    const std::int64_t wait = waiting();
    const auto images_per_second = rate();
    if (images_per_second && static_cast<double>(wait) / *images_per_second > std::max(kBacklog, 2 * backlog_)) {
      backlog_ = static_cast<double>(wait) / *images_per_second;
      progress_.warn(str("backlog: ", wait, " images wait, ", duration_text(backlog_), " at ", *images_per_second,
                         " images a second"));
    } else if (wait == 0 && backlog_ > 0) {
      progress_.warn("the backlog is done");
      backlog_ = 0;
    }
    const std::string text = str("watching: ", judged(), " judged, ", anomalous_, " anomalous, ", wait, " waiting");
    if (text == told_) return;
    progress_.update(text);
    told_ = text;
  }

  // Each window but the first shares images with the one before: said once, until it is over.
  void watch_drift(double combined) {
    combined_.push_back(combined);
    if (combined_.size() > 2 * kDriftWindow) combined_.erase(combined_.begin());
    if (judged() % kDriftEvery != 0) return;
    const auto drift = drift_text(*s_.model.calibration, threshold_, combined_);
    if (drift && !drifted_) progress_.warn(*drift);
    drifted_ = drift.has_value();
  }

  const WatchOptions& o_;
  Session& s_;
  Progress& progress_;
  const double threshold_;
  const std::optional<RegionOptions> regions_;
  ImageSource source_;
  FolderWatch folder_;
  std::optional<WatchResults> results_;
  WatchPage page_;
  std::optional<DecisionFolders> sorting_;
  std::deque<Sorted> to_sort_;
  std::optional<Clock::time_point> sort_failed_;
  std::deque<Arrival> arrived_, under_way_;
  std::vector<double> combined_;  // the last ones
  bool drifted_ = false, page_failed_ = false;
  std::int64_t earlier_ = 0, anomalous_ = 0, failed_ = 0;
  std::optional<Clock::time_point> busy_since_;  // since when images wait
  std::int64_t busy_from_ = 0;                   // judged then
  double backlog_ = 0;                           // seconds that were said last
  std::string trouble_, told_;
};

}  // namespace

int watch(const WatchOptions& o) {
  check_folders(o);
  Session s(o.model, o.given);
  Progress progress;
  const FolderLock lock = lock_output(o.out, progress);
  return Watcher(o, s, progress).run();
}

}  // namespace pgad
