#include <pgad/inspector.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "inspection/anomaly_map.h"
#include "inspection/calibration.h"
#include "inspection/image_queue.h"
#include "inspection/session.h"

namespace pgad {
namespace {

// So many times the batch may wait before submit() does.
constexpr std::size_t kWaiting = 4;

GivenOptions given_options(const InspectorOptions& options) {
  GivenOptions given;
  const auto add = [&](const std::string& name, const std::string& value) {
    for (const Field& field : all_fields()) {
      const bool offered = field.group == Group::kScoring || field.name == "threads" || field.name == "device" ||
                           field.name == "precision" || field.name == "tuning" || field.name == "max-pixels";
      if (offered && option_name(field, Naming::kShort) == name) return given.emplace_back(&field, value), void();
    }
    throw UsageError("unknown option '" + name +
                     "'; there are the scoring options of `pgad_infer score --help`, precision, tuning and "
                     "max-pixels");
  };
  for (const auto& [name, value] : options.more) add(name, value);
  add("device", options.device);
  add("threads", std::to_string(options.threads));
  return given;
}

}  // namespace

double Result::score(const std::string& name) const {
  const auto found = scores.find(name);
  if (found != scores.end()) return found->second;
  throw UsageError("no score '" + name + "'" + (cancelled ? ": the picture's search was cancelled" : ""));
}

// One mutex guards what the callers and the worker share; the worker does not hold it while it computes. What belongs
// to the worker alone once it runs: the Exec and all that lives on it.
class Inspector::Implementation {
 public:
  Implementation(const std::string& model_file, InspectorOptions options)
      : options_(std::move(options)),
        session_(model_file, given_options(options_)),
        threshold_(session_.threshold(options_.threshold)),
        regions_(session_.regions(options_.region_threshold)),
        device_(session_.exec->description()),
        decode_(decode_options(session_.model.preprocessing, session_.config.data)),
        worker_([this](const std::stop_token& stop) { work(stop); }) {}

  ~Implementation() {
    worker_.request_stop();
    changed_.notify_all();
  }

  Ticket submit(const Picture& picture, bool polled) {
    Image image = image_of(picture, nullptr, decode_);
    if (session_.model.ignore) fill_ignored(*session_.model.ignore, image, "the picture");
    Query query;
    query.pixels = preprocess(image, session_.model.preprocessing);
    query.height = image.height;
    query.width = image.width;
    const Preprocessing& p = session_.model.preprocessing;
    const ScaledSize size = scaled_size(image.height, image.width, p);
    query.rows = p.tiles ? size.height : p.resolution;
    query.columns = p.tiles ? size.width : p.resolution;
    query.polled = polled;
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return fault_ || waiting_.size() < kWaiting * batch(); });
    if (fault_) std::rethrow_exception(fault_);
    const Ticket ticket = ++last_ticket_;
    queries_.emplace(ticket, std::move(query));
    waiting_.push_back(ticket);
    changed_.notify_all();
    return ticket;
  }

  // Of a picture that poll() does not hand out.
  Finished wait(Ticket ticket) {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return fault_ || finished_.contains(ticket); });
    if (!finished_.contains(ticket)) std::rethrow_exception(fault_);
    return std::move(finished_.extract(ticket).mapped());
  }

  std::optional<Finished> poll(double seconds) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return fault_ || !polled_.empty() || pending_polled() == 0; };
    if (!ready() && seconds > 0) done_.wait_for(lock, std::chrono::duration<double>(std::min(seconds, 1e6)), ready);
    if (polled_.empty()) {
      if (fault_) std::rethrow_exception(fault_);
      return std::nullopt;
    }
    const Ticket ticket = polled_.front();
    polled_.pop_front();
    return std::move(finished_.extract(ticket).mapped());
  }

  bool cancel(Ticket ticket) {
    const std::scoped_lock lock(mutex_);
    const auto query = queries_.find(ticket);
    if (query == queries_.end() || !query->second.polled) return false;
    cancel_held(ticket);
    return true;
  }

  void cancel_all() {
    const std::scoped_lock lock(mutex_);
    std::vector<Ticket> all;
    for (const auto& [ticket, query] : queries_)
      if (query.polled) all.push_back(ticket);
    for (const Ticket ticket : all) cancel_held(ticket);
  }

  std::size_t pending() const {
    const std::scoped_lock lock(mutex_);
    return pending_polled() + polled_.size();
  }

  void warm_up() {
    std::unique_lock lock(mutex_);
    const int wanted = ++warm_ups_wanted_;
    changed_.notify_all();
    done_.wait(lock, [&] { return fault_ || warm_ups_done_ >= wanted; });
    if (fault_) std::rethrow_exception(fault_);
  }

  const Session& session() const { return session_; }
  double threshold() const { return threshold_; }
  const std::string& device() const { return device_; }
  std::vector<std::string> notes() const { return session_.notes(!std::isnan(options_.threshold)); }

 private:
  struct Query {
    std::vector<float> pixels;  // preprocessed
    int height = 0, width = 0;  // of the picture
    int rows = 0, columns = 0;  // of pixels
    bool polled = false;        // else some wait() takes it
    bool searched = false;      // by the worker; else it waits
  };

  std::size_t batch() const { return static_cast<std::size_t>(session_.config.scoring.batch); }
  std::size_t pending_polled() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(queries_, [](const auto& entry) { return entry.second.polled; }));
  }

  void cancel_held(Ticket ticket) {
    const Query& query = queries_.at(ticket);
    Finished finished{ticket, {}, ""};
    finished.result.height = query.height;
    finished.result.width = query.width;
    finished.result.cancelled = true;
    if (query.searched) {
      given_up_.push_back(ticket);
    } else {
      std::erase(waiting_, ticket);
      room_.notify_all();
    }
    finish_held(std::move(finished));
  }

  void finish_held(Finished finished) {
    const auto query = queries_.find(finished.ticket);
    if (query->second.polled) polled_.push_back(finished.ticket);
    queries_.erase(query);
    finished_.emplace(finished.ticket, std::move(finished));
    done_.notify_all();
  }

  // The worker's:

  ImageQueue& queue_for(std::size_t pictures) {
    const int slots = slots_for(static_cast<std::int64_t>(pictures), session_.config.scoring.batch,
                                session_.model.preprocessing.tiles);
    auto& queue = queues_[slots];
    if (!queue)
      queue = std::make_unique<ImageQueue>(*session_.exec, session_.model, session_.config.scoring, slots,
                                           /*pictures=*/false);
    return *queue;
  }

  void work(const std::stop_token& stop) {
    try {
      while (!stop.stop_requested()) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, stop, [&] { return !waiting_.empty() || warm_ups_done_ < warm_ups_wanted_; });
        if (stop.stop_requested()) return;
        if (warm_ups_done_ < warm_ups_wanted_) {
          const int wanted = warm_ups_wanted_;
          lock.unlock();
          for (std::size_t slots = 1;; slots = std::min(4 * slots, batch())) {
            warm(queue_for(slots));
            if (slots == batch()) break;
          }
          lock.lock();
          warm_ups_done_ = wanted;
          done_.notify_all();
          continue;
        }
        const std::size_t waiting = waiting_.size();
        lock.unlock();
        search(queue_for(waiting), stop);
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      fault_ = std::current_exception();
      room_.notify_all();
      done_.notify_all();
    }
  }

  void warm(ImageQueue& queue) {
    const Preprocessing& p = session_.model.preprocessing;
    queue.add(0, p.resolution, p.resolution,
              std::vector<float>(static_cast<std::size_t>(p.resolution) * p.resolution * p.channels));
    queue.step([](std::int64_t, const ImageResult&) {});
    queue.abandon();
  }

  // Searches until the queue is empty. It takes up what waits, unless so much does that a larger one should, or
  // somebody waits for a warm-up.
  void search(ImageQueue& queue, const std::stop_token& stop) {
    const auto slots = static_cast<std::size_t>(queue.slots());
    std::vector<std::pair<Ticket, ImageResult>> results;
    while (!stop.stop_requested()) {
      {
        const std::scoped_lock lock(mutex_);
        for (const Ticket ticket : std::exchange(given_up_, {})) queue.abandon(static_cast<std::int64_t>(ticket));
        const bool warm_up_first = warm_ups_done_ < warm_ups_wanted_;
        while (queue.has_room() && !waiting_.empty() && !warm_up_first &&
               (slots == batch() || waiting_.size() <= slots)) {
          const Ticket ticket = waiting_.front();
          waiting_.pop_front();
          Query& query = queries_.at(ticket);
          query.searched = true;
          queue.add(static_cast<std::int64_t>(ticket), query.rows, query.columns, std::move(query.pixels));
        }
        room_.notify_all();
      }
      if (queue.empty()) return;
      results.clear();
      queue.step([&](std::int64_t id, ImageResult r) { results.emplace_back(static_cast<Ticket>(id), std::move(r)); });
      if (options_.on_progress) {
        for (const auto& [ticket, result] : results) options_.on_progress(ticket, 1);
        queue.progress(
            [&](std::int64_t id, double share, int) { options_.on_progress(static_cast<Ticket>(id), share); });
      }
      for (const auto& [ticket, result] : results) finish(ticket, result);
    }
  }

  void finish(Ticket ticket, const ImageResult& found) {
    Finished finished{ticket, {}, ""};
    Result& r = finished.result;
    {
      const std::scoped_lock lock(mutex_);
      const auto query = queries_.find(ticket);
      if (query == queries_.end()) {  // cancelled while its last step was made
        std::erase(given_up_, ticket);
        return;
      }
      r.height = query->second.height;
      r.width = query->second.width;
    }
    const Model& model = session_.model;
    r.steps = found.steps;
    r.threshold = threshold_;
    for (int i = 0; i < kTermCount; ++i) r.scores[kScoreNames[i]] = found.terms[i];
    const double combined = model.calibration ? combined_score(*model.calibration, found.terms) : std::nan("");
    r.scores[kScoreNames[kCombined]] = combined;
    try {
      if (!found.finite()) throw Error("the picture's scores are not finite");
      if (!std::isnan(threshold_)) r.decision = combined > threshold_ ? Decision::kAnomalous : Decision::kNormal;
      if (options_.maps) {
        const AnomalyMap map = anomaly_map(model, found, session_.config.scoring.map_sigma);
        r.map = map_in_image(map.values, found, r.height, r.width, model.preprocessing);
        if (regions_) {
          RegionOptions options = *regions_;
          options.always_one = r.decision == Decision::kAnomalous;
          std::vector<float> counting = r.map;
          forget_ignored(model, counting);
          r.regions = find_regions(counting, r.height, r.width, options);
        }
      }
    } catch (const std::bad_alloc&) {  // this picture's alone, as large as it is
      finished.error = "not enough memory for the picture's map";
    } catch (const Error& e) {
      finished.error = e.what();
    }
    const std::scoped_lock lock(mutex_);
    if (queries_.contains(ticket)) finish_held(std::move(finished));
  }

  const InspectorOptions options_;
  Session session_;
  const double threshold_;
  const std::optional<RegionOptions> regions_;
  const std::string device_;
  const DecodeOptions decode_;
  std::map<int, std::unique_ptr<ImageQueue>> queues_;  // by slots; the worker's

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;  // for the worker: something waits
  std::condition_variable room_, done_;  // for callers
  // Guarded by mutex_:
  Ticket last_ticket_ = 0;
  std::map<Ticket, Query> queries_;      // under way
  std::deque<Ticket> waiting_;           // of them, those that no slot searches yet
  std::vector<Ticket> given_up_;         // cancelled, but still in a slot
  std::map<Ticket, Finished> finished_;  // not handed out yet
  std::deque<Ticket> polled_;            // of them, those for poll()
  int warm_ups_wanted_ = 0, warm_ups_done_ = 0;
  std::exception_ptr fault_;  // what ended the worker
  std::jthread worker_;       // last: it ends before the rest goes
};

Inspector::Inspector(const std::string& model_file, InspectorOptions options)
    : implementation_(std::make_unique<Implementation>(model_file, std::move(options))) {}
Inspector::~Inspector() = default;
Inspector::Inspector(Inspector&&) noexcept = default;
Inspector& Inspector::operator=(Inspector&&) noexcept = default;

Result Inspector::inspect(const Picture& picture) { return std::move(inspect(std::vector<Picture>{picture})[0]); }

std::vector<Result> Inspector::inspect(const std::vector<Picture>& pictures) {
  std::vector<Ticket> tickets;
  std::exception_ptr refused;
  for (const Picture& picture : pictures) {
    try {
      tickets.push_back(implementation_->submit(picture, false));
    } catch (...) {
      refused = std::current_exception();  // thrown when nobody needs those before it any more
      break;
    }
  }
  std::vector<Result> results;
  std::string error;
  for (const Ticket ticket : tickets) {
    Finished finished = implementation_->wait(ticket);
    if (error.empty()) error = std::move(finished.error);
    results.push_back(std::move(finished.result));
  }
  if (!error.empty()) throw Error(error);
  if (refused) std::rethrow_exception(refused);
  return results;
}

Ticket Inspector::submit(const Picture& picture) { return implementation_->submit(picture, true); }
std::optional<Inspector::Finished> Inspector::poll(double seconds) { return implementation_->poll(seconds); }
bool Inspector::cancel(Ticket ticket) { return implementation_->cancel(ticket); }
void Inspector::cancel_all() { implementation_->cancel_all(); }
std::size_t Inspector::pending() const { return implementation_->pending(); }
void Inspector::warm_up() { implementation_->warm_up(); }

const std::vector<std::string>& Inspector::score_names() {
  static const std::vector<std::string> names(std::begin(kScoreNames), std::end(kScoreNames));
  return names;
}

int Inspector::side() const { return implementation_->session().model.side(); }
int Inspector::channels() const { return implementation_->session().model.config.network.channels; }
double Inspector::threshold() const { return implementation_->threshold(); }
std::string Inspector::device() const { return implementation_->device(); }
std::vector<std::string> Inspector::notes() const { return implementation_->notes(); }

const char* version() { return PGAD_VERSION; }

}  // namespace pgad
