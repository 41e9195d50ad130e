// The library's interface, include/pgad: the same answers as the program's, from any memory layout, thread and company.

#include <pgad/inspector.h>
#include <pgad/pgad.h>

#include <atomic>
#include <bit>
#include <cstring>
#include <set>
#include <thread>

#include "images/preprocess.h"
#include "model/model.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

constexpr int kCount = 20;

InspectorOptions one_thread() {
  InspectorOptions options;
  options.device = "cpu";
  options.threads = 1;
  return options;
}

std::vector<std::uint8_t> digit(int i) {
  const auto* first = shared().digits.pixels.data() + static_cast<std::size_t>(i) * 28 * 28;
  return {first, first + 28 * 28};
}

Picture view(const std::vector<std::uint8_t>& grey) { return {grey.data(), 28, 28, 1}; }

// Bits, not values: NaN equals itself.
std::vector<std::uint64_t> bits_of(const Result& r) {
  std::vector<std::uint64_t> bits;
  for (const auto& [name, value] : r.scores) bits.push_back(std::bit_cast<std::uint64_t>(value));
  for (const float v : r.map) bits.push_back(std::bit_cast<std::uint32_t>(v));
  bits.push_back(static_cast<std::uint64_t>(r.steps));
  bits.push_back(static_cast<std::uint64_t>(r.decision));
  return bits;
}

// Each digit on its own, by one Inspector.
const std::vector<Result>& alone() {
  static const std::vector<Result> results = [] {
    Inspector inspector(shared().model, one_thread());
    std::vector<Result> r;
    for (int i = 0; i < kCount; ++i) r.push_back(inspector.inspect(view(digit(i))));
    return r;
  }();
  return results;
}

TEST(Inspector, SaysWhatTheProgramSays) {
  const TempDir dir;
  write_digits(dir / "in", kCount);
  ASSERT_TRUE(ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--out", dir / "out", "--maps",
                           "--threads", "2"}),
                    0));
  const auto json = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  ASSERT_EQ(json.at("images").size(), alone().size());
  for (int i = 0; i < kCount; ++i) {
    const Result& r = alone()[static_cast<std::size_t>(i)];
    const nlohmann::json& row = json.at("images").at(static_cast<std::size_t>(i));
    for (const std::string& name : Inspector::score_names()) {
      EXPECT_EQ(row.at(name).is_null(), std::isnan(r.score(name))) << name;
      if (row.at(name).is_null()) continue;
      EXPECT_EQ(row.at(name).get<float>(), static_cast<float>(r.score(name))) << name << " of " << i;
    }
    EXPECT_EQ(row.at("steps").get<int>(), r.steps);
    EXPECT_EQ(row.value("decision", "undecided"), r.decision == Decision::kAnomalous ? "anomalous"
                                                  : r.decision == Decision::kNormal  ? "normal"
                                                                                     : "undecided");
    // The networks' size is 8x8 here, the picture's 28x28.
    const NpyArray map = read_npy(dir / "out/maps/" + std::to_string(100 + i) + ".png.calibrated.npy");
    const Model model = [&] {
      Exec exec(Device{}, 1);
      return load_model(exec, shared().model);
    }();
    Preprocessing p = model.preprocessing;
    p.resolution = model.side();
    EXPECT_EQ(r.map, map_to_image(map.values, 28, 28, p));
  }
}

TEST(Inspector, SameBitsInAnyLayout) {
  Inspector inspector(shared().model, one_thread());
  for (int i = 0; i < 3; ++i) {
    const std::vector<std::uint8_t> grey = digit(i);
    const auto expected = bits_of(alone()[static_cast<std::size_t>(i)]);
    const auto check = [&](const char* what, const Picture& picture) {
      EXPECT_EQ(bits_of(inspector.inspect(picture)), expected) << what;
    };
    // Rows 40 bytes apart, and bottom up.
    std::vector<std::uint8_t> rows(28 * 40, 77), flipped(28 * 28);
    for (int y = 0; y < 28; ++y) {
      std::copy_n(grey.begin() + y * 28, 28, rows.begin() + y * 40);
      std::copy_n(grey.begin() + y * 28, 28, flipped.begin() + (27 - y) * 28);
    }
    check("row stride", {rows.data(), 28, 28, 1, 40});
    check("bottom up", {flipped.data() + 27 * 28, 28, 28, 1, -28});
    std::vector<float> floats(grey.size());
    for (std::size_t k = 0; k < grey.size(); ++k) floats[k] = static_cast<float>(grey[k]) / 255.f;
    check("float", {floats.data(), 28, 28, 1, 0, Depth::kFloat});
    std::vector<std::uint16_t> wide(grey.size());
    for (std::size_t k = 0; k < grey.size(); ++k) wide[k] = static_cast<std::uint16_t>(257 * grey[k]);  // v/255 again
    check("16 bits", {wide.data(), 28, 28, 1, 0, Depth::k16});
  }
}

TEST(Inspector, ColoursAreTakenInTheirOrder) {
  Inspector inspector(shared().model, one_thread());
  const std::vector<std::uint8_t> red = digit(0), blue = digit(1);
  std::vector<std::uint8_t> rgb, bgr, rgba;
  for (std::size_t k = 0; k < red.size(); ++k) {
    rgb.insert(rgb.end(), {red[k], 9, blue[k]});
    bgr.insert(bgr.end(), {blue[k], 9, red[k]});
    rgba.insert(rgba.end(), {red[k], 9, blue[k], 3});
  }
  const auto expected = bits_of(inspector.inspect({rgb.data(), 28, 28, 3}));
  EXPECT_EQ(bits_of(inspector.inspect({bgr.data(), 28, 28, 3, 0, Depth::k8, ChannelOrder::kBgr})), expected);
  EXPECT_EQ(bits_of(inspector.inspect({rgba.data(), 28, 28, 4})), expected);
  EXPECT_NE(bits_of(inspector.inspect({bgr.data(), 28, 28, 3})), expected);
}

TEST(Inspector, SameBitsInAnyCompanyAndStream) {
  InspectorOptions options = one_thread();
  options.threads = 2;
  options.more["batch"] = "6";
  Inspector inspector(shared().model, options);
  inspector.warm_up();
  std::vector<std::vector<std::uint8_t>> digits;
  std::vector<Picture> views;
  for (int i = 0; i < kCount; ++i) digits.push_back(digit(i));
  for (const auto& d : digits) views.push_back(view(d));
  const std::vector<Result> together = inspector.inspect(views);
  std::map<Ticket, std::size_t> which;
  for (std::size_t i = 0; i < views.size(); ++i) which[inspector.submit(views[i])] = i;
  std::size_t handed_out = 0;
  while (const auto finished = inspector.poll(60)) {
    ++handed_out;
    EXPECT_EQ(finished->error, "");
    EXPECT_EQ(bits_of(finished->result), bits_of(alone()[which.at(finished->ticket)]));
  }
  EXPECT_EQ(handed_out, views.size());
  EXPECT_EQ(inspector.pending(), 0u);
  for (std::size_t i = 0; i < views.size(); ++i) EXPECT_EQ(bits_of(together[i]), bits_of(alone()[i])) << i;
}

TEST(Inspector, ManyOnManyThreads) {
  std::vector<std::thread> threads;
  std::vector<std::vector<Result>> results(4);
  alone();
  Inspector common(shared().model, one_thread());
  for (std::size_t t = 0; t < results.size(); ++t)
    threads.emplace_back([&, t] {
      Inspector own(shared().model, one_thread());
      for (int i = 0; i < 5; ++i) results[t].push_back((i % 2 != 0 ? own : common).inspect(view(digit(i))));
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& r : results)
    for (std::size_t i = 0; i < r.size(); ++i) EXPECT_EQ(bits_of(r[i]), bits_of(alone()[i]));
}

TEST(Inspector, CancelsAndReportsProgress) {
  InspectorOptions options = one_thread();
  options.more = {{"steps", "200000"}, {"batch", "2"}, {"start", "random"}, {"patience", "0"}};
  std::atomic<int> told = 0;
  std::atomic<double> least = 1;
  options.on_progress = [&](Ticket, double share) {
    ++told;
    least = std::min(least.load(), share);
  };
  Inspector inspector(shared().model, options);
  std::vector<Ticket> tickets;
  const auto grey = digit(0);
  for (int i = 0; i < 4; ++i) tickets.push_back(inspector.submit(view(grey)));
  while (told == 0) std::this_thread::yield();
  EXPECT_FALSE(inspector.poll());
  EXPECT_EQ(inspector.pending(), 4u);
  EXPECT_TRUE(inspector.cancel(tickets[1]));
  EXPECT_FALSE(inspector.cancel(tickets[1]));
  EXPECT_FALSE(inspector.cancel(12345));
  auto finished = inspector.poll(60);
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->ticket, tickets[1]);
  EXPECT_TRUE(finished->result.cancelled);
  EXPECT_THROW(static_cast<void>(finished->result.score("combined")), UsageError);
  inspector.cancel_all();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(inspector.poll(60)->result.cancelled);
  EXPECT_FALSE(inspector.poll(60));  // at once: nothing is under way
  EXPECT_LT(least, 0.5);
  inspector.submit(view(grey));  // the destructor gives it up
}

// A stream is searched together, also after a first picture that came alone.
TEST(Inspector, AStreamFillsItsSlots) {
  InspectorOptions options = one_thread();
  options.more = {{"steps", "400"}, {"batch", "6"}, {"start", "random"}, {"patience", "0"}};
  std::set<Ticket> round;
  std::size_t most = 0;
  options.on_progress = [&](Ticket ticket, double share) {
    if (!round.insert(ticket).second) round = {ticket};  // the next step
    most = std::max(most, round.size());
    if (share == 1) round.erase(ticket);  // and its slot is another's in the next
  };
  Inspector inspector(shared().model, options);
  const auto grey = digit(0);
  for (int i = 0; i < 20; ++i) inspector.submit(view(grey));
  inspector.warm_up();  // is not put off by the stream
  int handed_out = 0;
  while (inspector.poll(60)) ++handed_out;
  EXPECT_EQ(handed_out, 20);
  EXPECT_EQ(most, 6u);
}

TEST(Inspector, ThresholdDecidesAndMapsAreOptional) {
  InspectorOptions options = one_thread();
  options.maps = false;
  for (const double threshold : {-1e9, 1e9}) {
    options.threshold = threshold;
    Inspector inspector(shared().model, options);
    EXPECT_EQ(inspector.threshold(), threshold);
    const Result r = inspector.inspect(view(digit(0)));
    EXPECT_EQ(r.decision, threshold < 0 ? Decision::kAnomalous : Decision::kNormal);
    EXPECT_TRUE(r.map.empty());
    EXPECT_EQ(r.height, 28);
  }
}

TEST(Inspector, RegionsAreThoseOfItsMap) {
  const float highest = *std::ranges::max_element(alone()[0].map);
  InspectorOptions options = one_thread();
  options.region_threshold = highest / 2;
  const Result r = Inspector(shared().model, options).inspect(view(digit(0)));
  ASSERT_TRUE(r.regions.has_value());
  ASSERT_FALSE(r.regions->empty());
  EXPECT_EQ(r.regions->front().peak, highest);
  std::int64_t area = 0;
  for (const Region& region : *r.regions) area += region.area;
  EXPECT_GE(area, std::ranges::count_if(r.map, [&](float v) { return v > highest / 2; }));
  // What is judged anomalous has a region, the highest place, however high the threshold of regions is.
  options.region_threshold = 1.2 * highest;
  for (const double threshold : {-1e9, 1e9}) {
    options.threshold = threshold;
    const auto regions = Inspector(shared().model, options).inspect(view(digit(0))).regions;
    ASSERT_EQ(regions->size(), threshold < 0 ? 1u : 0u);
    if (threshold < 0) {
      EXPECT_EQ(regions->front().peak, highest);
    }
  }
  options.region_threshold = highest / 2;
  options.more["region-min-area"] = "1000000";
  EXPECT_TRUE(Inspector(shared().model, options).inspect(view(digit(0))).regions->empty());
  options.maps = false;
  EXPECT_FALSE(Inspector(shared().model, options).inspect(view(digit(0))).regions.has_value());

  pgad_options* in_c = pgad_options_create();
  EXPECT_EQ(pgad_options_set(in_c, "region_threshold", std::to_string(highest / 2).c_str(), nullptr), 1);
  pgad_inspector* inspector = pgad_open(shared().model.c_str(), in_c, nullptr);
  pgad_options_destroy(in_c);
  ASSERT_NE(inspector, nullptr);
  const auto grey = digit(0);
  pgad_picture picture = {};
  picture.pixels = grey.data();
  picture.height = picture.width = 28;
  picture.channels = 1;
  pgad_result* result = pgad_inspect(inspector, &picture, nullptr);
  ASSERT_NE(result, nullptr);
  const int count = pgad_result_regions(result);
  ASSERT_EQ(count, std::ssize(*r.regions));
  pgad_region first;
  EXPECT_EQ(pgad_result_region(result, count, &first), 0);
  ASSERT_EQ(pgad_result_region(result, 0, &first), 1);
  const Region& expected = r.regions->front();
  EXPECT_EQ(first.area, expected.area);
  EXPECT_EQ(first.peak, expected.peak);
  EXPECT_EQ(first.left, expected.left);
  EXPECT_EQ(first.peak_y, expected.peak_y);
  std::size_t values = 0;
  const int* corners = pgad_result_contour(result, 0, 0, &values);
  ASSERT_NE(corners, nullptr);
  EXPECT_EQ(std::vector<int>(corners, corners + values), expected.contours[0]);
  EXPECT_EQ(pgad_result_contour(result, 0, static_cast<int>(expected.contours.size()), &values), nullptr);
  pgad_result_destroy(result);
  pgad_close(inspector);
}

template <class Failure, class Call>
std::string said(const Call& call) {
  try {
    call();
  } catch (const Failure& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("another exception: ") + e.what();
  }
  return "nothing was thrown";
}

// Opened by one thread, searched by another: the device is current in both.
TEST(Inspector, OnTheEmulatedGpu) {
  if (!kEmulation) GTEST_SKIP() << kNoEmulation;
  InspectorOptions options = one_thread();
  options.device = "cuda-emulated";
  Inspector inspector(shared().model, options);
  EXPECT_NE(inspector.device().find("emulated"), std::string::npos) << inspector.device();
  for (int i = 0; i < 2; ++i) {
    const Result r = inspector.inspect(view(digit(i)));
    const Result& expected = alone()[static_cast<std::size_t>(i)];
    for (const auto& [name, score] : expected.scores) {
      if (std::isnan(score)) continue;
      EXPECT_NEAR(r.score(name), score, 1e-3 * (1 + std::abs(score))) << name;
    }
  }
}

TEST(Inspector, BadRequestsAreSaidInWords) {
  const auto open = [](const std::string& name, const std::string& value) {
    InspectorOptions options = one_thread();
    options.more[name] = value;
    Inspector inspector(shared().model, options);
  };
  EXPECT_NE(said<UsageError>([&] { open("stepz", "3"); }).find("unknown option 'stepz'"), std::string::npos);
  EXPECT_NE(said<UsageError>([&] { open("steps", "0.5"); }).find("--steps: value 0.5"), std::string::npos);
  EXPECT_NE(said<UsageError>([&] { open("resume", "1"); }).find("unknown option 'resume'"), std::string::npos);
  EXPECT_NE(said<Error>([] { Inspector("/nonexistent/model.safetensors", one_thread()); }).find("/nonexistent/model"),
            std::string::npos);
  Inspector inspector(shared().model, one_thread());
  const auto grey = digit(0);
  const auto refusal = [&](const Picture& p) { return said<Error>([&] { static_cast<void>(inspector.inspect(p)); }); };
  EXPECT_NE(refusal({nullptr, 28, 28, 1}).find("no pixels"), std::string::npos);
  EXPECT_NE(refusal({grey.data(), 28, 28, 2}).find("2 channels"), std::string::npos);
  EXPECT_NE(refusal({grey.data(), 0, 28, 1}).find("28x0 pixels, expected at least 1x1"), std::string::npos);
  EXPECT_NE(refusal({grey.data(), 28, 28, 1, 20}).find("20 bytes apart"), std::string::npos);
  EXPECT_NE(refusal({grey.data(), 28, 28, 1, 0, Depth::k8, ChannelOrder::kRgb, 12}).find("bits is 12"),
            std::string::npos);
  std::vector<float> floats(28 * 28, 2.f);
  EXPECT_NE(refusal({floats.data(), 28, 28, 1, 0, Depth::kFloat}).find("a value of 2"), std::string::npos);
  floats[3] = std::nanf("");
  EXPECT_NE(refusal({floats.data(), 28, 28, 1, 0, Depth::kFloat}).find("a value of"), std::string::npos);
  // One of several: the others do no harm, and the next call works.
  EXPECT_NE(said<Error>([&] {
              static_cast<void>(inspector.inspect(std::vector<Picture>{view(grey), {nullptr, 1, 1, 1}}));
            }).find("no pixels"),
            std::string::npos);
  EXPECT_EQ(bits_of(inspector.inspect(view(grey))), bits_of(alone()[0]));
}

TEST(InspectorInC, DoesTheSame) {
  char* error = nullptr;
  EXPECT_EQ(pgad_open("/nonexistent", nullptr, &error), nullptr);
  ASSERT_NE(error, nullptr);
  EXPECT_NE(std::strstr(error, "/nonexistent"), nullptr);
  pgad_free(error);
  error = nullptr;
  EXPECT_EQ(pgad_open("/nonexistent", nullptr, nullptr), nullptr);  // nobody wants to know why

  pgad_options* options = pgad_options_create();
  EXPECT_EQ(pgad_options_set(options, "threads", "x", &error), 0);
  EXPECT_STREQ(error, "threads: value 'x', expected a number");
  pgad_free(error);
  error = nullptr;
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"threads", "1"}, {"device", "cpu"}, {"batch", "4"}})
    EXPECT_EQ(pgad_options_set(options, name.c_str(), value.c_str(), &error), 1);
  pgad_inspector* inspector = pgad_open(shared().model.c_str(), options, &error);
  pgad_options_destroy(options);
  ASSERT_NE(inspector, nullptr) << error;
  EXPECT_EQ(pgad_side(inspector), 8);
  EXPECT_EQ(pgad_channels(inspector), 1);
  EXPECT_EQ(pgad_warm_up(inspector, &error), 1);

  const auto grey = digit(0), other = digit(1);
  pgad_picture pictures[2] = {};
  for (int i = 0; i < 2; ++i) {
    pictures[i].pixels = i == 0 ? grey.data() : other.data();
    pictures[i].height = pictures[i].width = 28;
    pictures[i].channels = 1;
  }
  const auto check = [&](const pgad_result* r, std::size_t i) {
    const Result& expected = alone()[i];
    for (std::size_t k = 0; pgad_score_name(k) != nullptr; ++k)
      EXPECT_EQ(std::bit_cast<std::uint64_t>(pgad_result_score(r, pgad_score_name(k))),
                std::bit_cast<std::uint64_t>(expected.score(pgad_score_name(k))));
    int height = 0, width = 0;
    const float* map = pgad_result_map(r, &height, &width);
    ASSERT_NE(map, nullptr);
    EXPECT_EQ(std::vector<float>(map, map + height * width), expected.map);
    EXPECT_EQ(pgad_result_decision(r), static_cast<int>(expected.decision));
    EXPECT_EQ(pgad_result_steps(r), expected.steps);
    EXPECT_EQ(pgad_result_cancelled(r), 0);
    EXPECT_TRUE(std::isnan(pgad_result_score(r, "none")));
  };
  pgad_result* one = pgad_inspect(inspector, pictures, &error);
  ASSERT_NE(one, nullptr) << error;
  check(one, 0);
  pgad_result_destroy(one);
  pgad_result* both[2] = {};
  ASSERT_EQ(pgad_inspect_many(inspector, pictures, 2, both, &error), 1) << error;
  for (std::size_t i = 0; i < 2; ++i) {
    check(both[i], i);
    pgad_result_destroy(both[i]);
  }
  const std::uint64_t ticket = pgad_submit(inspector, pictures + 1, &error);
  ASSERT_NE(ticket, 0u) << error;
  std::uint64_t finished = 0;
  pgad_result* polled = pgad_poll(inspector, 60, &finished, &error);
  ASSERT_NE(polled, nullptr);
  EXPECT_EQ(finished, ticket);
  check(polled, 1);
  pgad_result_destroy(polled);
  EXPECT_EQ(pgad_poll(inspector, 0, nullptr, &error), nullptr);
  EXPECT_EQ(error, nullptr);
  EXPECT_EQ(pgad_pending(inspector), 0u);
  EXPECT_EQ(pgad_cancel(inspector, ticket), 0);
  pictures[0].depth = 7;
  EXPECT_EQ(pgad_inspect(inspector, pictures, &error), nullptr);
  ASSERT_NE(error, nullptr);
  EXPECT_NE(std::strstr(error, "depth is 7"), nullptr);
  pgad_free(error);
  pgad_close(inspector);
}

TEST(InspectorInC, NullIsAllowedWhereItIsSaid) {
  const auto refused = [](const auto& call) {
    char* error = nullptr;
    EXPECT_FALSE(call(&error));
    const std::string text = error == nullptr ? "nothing was said" : error;
    pgad_free(error);
    return text;
  };
  const pgad_picture picture = {};
  EXPECT_EQ(refused([](char** e) { return pgad_open(nullptr, nullptr, e); }), "model_file is NULL");
  EXPECT_EQ(refused([&](char** e) { return pgad_inspect(nullptr, &picture, e); }), "the inspector is NULL");
  EXPECT_EQ(refused([&](char** e) { return pgad_submit(nullptr, &picture, e); }), "the inspector is NULL");
  EXPECT_EQ(refused([](char** e) { return pgad_options_set(nullptr, "threads", "1", e); }), "options is NULL");
  pgad_options* options = pgad_options_create();
  EXPECT_EQ(refused([&](char** e) { return pgad_options_set(options, "threads", nullptr, e); }), "value is NULL");
  EXPECT_EQ(refused([&](char** e) { return pgad_options_set(options, "threshold", "0,5", e); }),
            "threshold: value '0,5', expected a number");
  pgad_options_destroy(options);
  EXPECT_EQ(pgad_cancel(nullptr, 1), 0);
  pgad_close(nullptr);
  pgad_result_destroy(nullptr);
  pgad_options_destroy(nullptr);
  pgad_free(nullptr);
  EXPECT_STREQ(pgad_version(), version());
}

}  // namespace
}  // namespace pgad::test
