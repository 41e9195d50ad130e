// pgad.h over inspector.h.

#include <pgad/inspector.h>
#include <pgad/pgad.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

struct pgad_options {
  pgad::InspectorOptions options;
};

struct pgad_inspector {
  pgad::Inspector inspector;
};

struct pgad_result {
  pgad::Result result;
};

namespace {

char out_of_memory[] = "out of memory";  // cannot be copied then; pgad_free() knows it

void set_error(char** error, const char* text) {
  if (error == nullptr) return;
  char* copy = strdup(text);
  *error = copy != nullptr ? copy : out_of_memory;
}

// What `call` returns, or `failed` with the message of what it threw.
template <class Value, class Call>
Value guarded(char** error, Value failed, const Call& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    set_error(error, out_of_memory);
  } catch (const std::exception& e) {
    set_error(error, e.what());
  } catch (...) {
    set_error(error, "an unknown exception");
  }
  return failed;
}

// What a pointer leads to, or an error in words for one that is NULL.
template <class T>
T& at(T* pointer, const char* what) {
  if (pointer == nullptr) throw pgad::UsageError(std::string(what) + " is NULL");
  return *pointer;
}

pgad::Inspector& of(pgad_inspector* inspector) { return at(inspector, "the inspector").inspector; }

double number(const std::string& name, const std::string& text) {
  double value = 0;  // whatever the locale
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size())
    throw pgad::UsageError(name + ": value '" + text + "', expected a number");
  return value;
}

pgad::Picture picture_of(const pgad_picture* picture) {
  const pgad_picture& p = at(picture, "the picture");
  if (p.depth < PGAD_8_BIT || p.depth > PGAD_FLOAT)
    throw pgad::UsageError("the picture's depth is " + std::to_string(p.depth) + ", expected a pgad_depth");
  if (p.order < PGAD_RGB || p.order > PGAD_BGR)
    throw pgad::UsageError("the picture's order is " + std::to_string(p.order) + ", expected a pgad_order");
  return {p.pixels,
          p.height,
          p.width,
          p.channels,
          p.row_stride,
          static_cast<pgad::Depth>(p.depth),
          static_cast<pgad::ChannelOrder>(p.order),
          p.bits};
}

}  // namespace

extern "C" {

const char* pgad_version(void) { return pgad::version(); }
void pgad_free(char* message) {
  if (message != out_of_memory) std::free(message);
}

pgad_options* pgad_options_create(void) { return new (std::nothrow) pgad_options; }
void pgad_options_destroy(pgad_options* options) { delete options; }

int pgad_options_set(pgad_options* options, const char* name, const char* value, char** error) {
  return guarded(error, 0, [&] {
    pgad::InspectorOptions& o = at(options, "options").options;
    const std::string key = &at(name, "name"), text = &at(value, "value");
    if (key == "device") {
      o.device = text;
    } else if (key == "threads") {
      const double v = number(key, text);
      if (!(v >= 0 && v <= 4096 && v == std::floor(v)))
        throw pgad::UsageError("threads: value '" + text + "', expected a whole number from 0 to 4096");
      o.threads = static_cast<int>(v);
    } else if (key == "maps") {
      if (text != "0" && text != "1") throw pgad::UsageError("maps: value '" + text + "', expected 0 or 1");
      o.maps = text == "1";
    } else if (key == "threshold") {
      o.threshold = number(key, text);
    } else if (key == "region_threshold") {
      o.region_threshold = number(key, text);
    } else {
      o.more[key] = text;
    }
    return 1;
  });
}

void pgad_options_set_progress(pgad_options* options, void (*on_progress)(void*, uint64_t, double), void* state) {
  options->options.on_progress = {};
  if (on_progress != nullptr)
    options->options.on_progress = [=](pgad::Ticket ticket, double share) { on_progress(state, ticket, share); };
}

pgad_inspector* pgad_open(const char* model_file, const pgad_options* options, char** error) {
  return guarded<pgad_inspector*>(error, nullptr, [&] {
    return new pgad_inspector{pgad::Inspector(&at(model_file, "model_file"),
                                              options != nullptr ? options->options : pgad::InspectorOptions())};
  });
}

void pgad_close(pgad_inspector* inspector) { delete inspector; }

pgad_result* pgad_inspect(pgad_inspector* inspector, const pgad_picture* picture, char** error) {
  return guarded<pgad_result*>(error, nullptr,
                               [&] { return new pgad_result{of(inspector).inspect(picture_of(picture))}; });
}

int pgad_inspect_many(pgad_inspector* inspector, const pgad_picture* pictures, size_t count, pgad_result** results,
                      char** error) {
  return guarded(error, 0, [&] {
    std::vector<pgad::Picture> views;
    for (size_t i = 0; i < count; ++i) views.push_back(picture_of(pictures + i));
    std::vector<std::unique_ptr<pgad_result>> found;
    for (pgad::Result& r : of(inspector).inspect(views))
      found.push_back(std::make_unique<pgad_result>(pgad_result{std::move(r)}));
    for (size_t i = 0; i < count; ++i) results[i] = found[i].release();
    return 1;
  });
}

uint64_t pgad_submit(pgad_inspector* inspector, const pgad_picture* picture, char** error) {
  return guarded<uint64_t>(error, 0, [&] { return of(inspector).submit(picture_of(picture)); });
}

pgad_result* pgad_poll(pgad_inspector* inspector, double seconds, uint64_t* ticket, char** error) {
  return guarded<pgad_result*>(error, nullptr, [&]() -> pgad_result* {
    auto finished = of(inspector).poll(seconds);
    if (!finished) return nullptr;
    if (ticket != nullptr) *ticket = finished->ticket;
    if (!finished->error.empty()) throw pgad::Error(finished->error);
    return new pgad_result{std::move(finished->result)};
  });
}

int pgad_cancel(pgad_inspector* inspector, uint64_t ticket) {
  return guarded(nullptr, 0, [&] { return of(inspector).cancel(ticket) ? 1 : 0; });
}
void pgad_cancel_all(pgad_inspector* inspector) {
  guarded(nullptr, 0, [&] { return of(inspector).cancel_all(), 1; });
}
size_t pgad_pending(const pgad_inspector* inspector) { return inspector->inspector.pending(); }

int pgad_warm_up(pgad_inspector* inspector, char** error) {
  return guarded(error, 0, [&] {
    of(inspector).warm_up();
    return 1;
  });
}

int pgad_side(const pgad_inspector* inspector) { return inspector->inspector.side(); }
int pgad_channels(const pgad_inspector* inspector) { return inspector->inspector.channels(); }
double pgad_threshold(const pgad_inspector* inspector) { return inspector->inspector.threshold(); }

const char* pgad_score_name(size_t index) {
  return guarded<const char*>(nullptr, nullptr, [&] {
    const auto& names = pgad::Inspector::score_names();
    return index < names.size() ? names[index].c_str() : nullptr;
  });
}

int pgad_result_decision(const pgad_result* result) { return static_cast<int>(result->result.decision); }

double pgad_result_score(const pgad_result* result, const char* name) {
  for (const auto& [known, value] : result->result.scores)
    if (name != nullptr && known == name) return value;
  return std::nan("");
}

double pgad_result_threshold(const pgad_result* result) { return result->result.threshold; }

const float* pgad_result_map(const pgad_result* result, int* height, int* width) {
  if (height != nullptr) *height = result->result.height;
  if (width != nullptr) *width = result->result.width;
  return result->result.map.empty() ? nullptr : result->result.map.data();
}

int pgad_result_regions(const pgad_result* result) {
  return result->result.regions ? static_cast<int>(result->result.regions->size()) : -1;
}

int pgad_result_region(const pgad_result* result, int index, pgad_region* region) {
  if (region == nullptr || index < 0 || index >= pgad_result_regions(result)) return 0;
  const pgad::Region& r = (*result->result.regions)[static_cast<std::size_t>(index)];
  *region = {r.left, r.top, r.width, r.height, r.area, r.peak, r.peak_x, r.peak_y, r.mean};
  return 1;
}

const int* pgad_result_contour(const pgad_result* result, int index, int contour, size_t* count) {
  if (index < 0 || index >= pgad_result_regions(result) || contour < 0) return nullptr;
  const auto& contours = (*result->result.regions)[static_cast<std::size_t>(index)].contours;
  if (static_cast<std::size_t>(contour) >= contours.size()) return nullptr;
  const std::vector<int>& corners = contours[static_cast<std::size_t>(contour)];
  if (count != nullptr) *count = corners.size();
  return corners.data();
}

int pgad_result_steps(const pgad_result* result) { return result->result.steps; }
int pgad_result_cancelled(const pgad_result* result) { return result->result.cancelled ? 1 : 0; }
void pgad_result_destroy(pgad_result* result) { delete result; }

}  // extern "C"
