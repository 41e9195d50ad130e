// Files for TensorBoard: their bytes, read by a reader of the test's own and, where it is installed, by TensorBoard's.

#include "report/event_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "images/atomic_file.h"
#include "tests/event_reader.h"
#include "tests/process.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

namespace fs = std::filesystem;
constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Image picture(int height, int width, int channels) {
  Image image{height, width, channels, std::vector<float>(static_cast<std::size_t>(height * width * channels))};
  for (std::size_t i = 0; i < image.size(); ++i) image.pixels[i] = static_cast<float>(i * 7 % 256) / 255;
  return image;
}

TEST(EventFile, ChecksumsOfTheReader) {  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(EventFile, HoldsWhatWasAdded) {
  const TempDir dir;
  const double before = seconds_now();
  EventFile file(dir / "board", 17);
  file.add_scalar("loss", 18, 0.1);
  file.add_scalar("far", std::int64_t{1} << 40, kInfinity);
  file.add_scalar("lost", 300, kNaN);
  const Image image = picture(5, 7, 3);
  file.add_image("sheet", 20, image);
  const double after = seconds_now();
  EXPECT_EQ(event_files(dir / "board"), std::vector{file.path()});
  EXPECT_TRUE(fs::path(file.path()).filename().string().starts_with("events.out.tfevents.")) << file.path();

  const std::vector<ReadEvent> events = parse_events(read_file(file.path()));
  ASSERT_EQ(events.size(), 6u);
  for (const ReadEvent& e : events) {
    EXPECT_GE(e.seconds, before);
    EXPECT_LE(e.seconds, after);
  }
  EXPECT_EQ(events[0].event.at(3).bytes, "brain.Event:2");
  EXPECT_EQ(events[1].step, 17);
  EXPECT_EQ(proto_fields(events[1].event.at(7).bytes).at(1).number, 1u);
  EXPECT_EQ(events[2].tag, "loss");
  EXPECT_EQ(events[2].step, 18);
  EXPECT_EQ(events[2].value.at(2).real32(), 0.1f);
  EXPECT_EQ(events[3].step, std::int64_t{1} << 40);
  EXPECT_EQ(events[3].value.at(2).real32(), kInfinity);
  EXPECT_TRUE(std::isnan(events[4].value.at(2).real32()));
  auto sheet = proto_fields(events[5].value.at(4).bytes);
  EXPECT_EQ(sheet.at(1).number, 5u);
  EXPECT_EQ(sheet.at(2).number, 7u);
  EXPECT_EQ(sheet.at(3).number, 3u);
  EXPECT_EQ(decode_image(sheet.at(4).bytes, "sheet").pixels, image.pixels);
}

TEST(EventFile, HistogramsCountEveryFiniteValue) {
  const TempDir dir;
  EventFile file(dir.path());
  std::vector<double> values = {kNaN, kInfinity, -kInfinity};
  for (int i = 0; i <= 300; ++i) values.push_back(-1 + i * 0.01);
  file.add_histogram("many", 1, values);
  file.add_histogram("alike", 2, std::vector<double>{3, 3, 3});
  file.add_histogram("none", 3, std::vector<double>{kNaN});
  file.add_histogram("none", 4, {});
  file.add_histogram("wide", 5, std::vector<double>{-1e308, 1e308});
  const std::vector<ReadEvent> events = parse_events(read_file(file.path()));
  ASSERT_EQ(events.size(), 5u);

  auto many = proto_fields(events[2].value.at(5).bytes);
  EXPECT_EQ(many.at(1).real(), -1);
  EXPECT_EQ(many.at(2).real(), 2);
  EXPECT_EQ(many.at(3).real(), 301);
  EXPECT_NEAR(many.at(4).real(), 150.5, 1e-9);
  EXPECT_NEAR(many.at(5).real(), 302.505, 1e-9);
  const std::vector<double> ends = many.at(6).reals(), counts = many.at(7).reals();
  ASSERT_EQ(ends.size(), 30u);
  ASSERT_EQ(counts.size(), 30u);
  EXPECT_TRUE(std::ranges::is_sorted(ends));
  EXPECT_EQ(ends.back(), 2);
  EXPECT_EQ(std::reduce(counts.begin(), counts.end()), 301);
  for (const double count : counts) EXPECT_NEAR(count, 10, 1);

  auto alike = proto_fields(events[3].value.at(5).bytes);
  EXPECT_EQ(alike.at(6).reals(), std::vector<double>{3});
  EXPECT_EQ(alike.at(7).reals(), std::vector<double>{3});
  EXPECT_EQ(events[4].tag, "wide");
  const std::vector<double> wide = proto_fields(events[4].value.at(5).bytes).at(7).reals();
  EXPECT_EQ(wide.front(), 1);
  EXPECT_EQ(wide.back(), 1);
}

TEST(EventFile, EachIsAFileOfItsOwn) {
  const TempDir dir;
  std::vector<std::string> paths;
  for (int i = 0; i < 3; ++i) paths.push_back(EventFile(dir / "board").path());
  EXPECT_EQ(event_files(dir / "board"), paths);  // in the order in which TensorBoard reads them
}

TEST(EventFile, BeginsAnewWhereItWasRemoved) {
  const TempDir dir;
  EventFile file(dir / "board");
  file.add_scalar("loss", 1, 1);
  fs::remove_all(dir / "board");
  file.add_scalar("loss", 2, 1);
  const std::vector<ReadEvent> events = parse_events(read_file(file.path()));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].event.at(3).bytes, "brain.Event:2");
  EXPECT_EQ(events[2].step, 2);
}

TEST(EventFile, ErrorsNameTheFile) {
  const TempDir dir;
  put(dir / "file", "text");
  EXPECT_NE(error_of([&] { EventFile(dir / "file"); }).find(dir / "file"), std::string::npos);
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  EventFile file(dir / "board");
  fs::remove(file.path());
  fs::create_symlink("/dev/full", file.path());
  EXPECT_EQ(error_of([&] { file.add_scalar("loss", 1, 1); }),
            "cannot write '" + file.path() + "': No space left on device");
}

// ---- TensorBoard's own parser --------------------------------------------------------------------------------------

std::string python() {
  const char* chosen = std::getenv("PGAD_TENSORBOARD_PYTHON");
  return chosen != nullptr ? chosen : "python3";
}

// Prints as JSON what TensorBoard has read of a folder; numbers in hexadecimal, which knows infinity.
constexpr const char* kScript = R"(
import base64, json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
board = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'images': 0, 'histograms': 0}).Reload()
number = lambda v: float(v).hex()
tags = board.Tags()
print(json.dumps({
  'scalars': {t: [[e.step, number(e.value)] for e in board.Scalars(t)] for t in tags['scalars']},
  'images': {t: [[e.step, e.height, e.width, base64.b16encode(e.encoded_image_string).decode()]
                 for e in board.Images(t)] for t in tags['images']},
  'histograms': {t: [[e.step, number(e.histogram_value.num), number(e.histogram_value.min),
                      number(e.histogram_value.max), number(e.histogram_value.sum),
                      number(e.histogram_value.sum_squares), list(map(number, e.histogram_value.bucket_limit)),
                      list(map(number, e.histogram_value.bucket))]
                     for e in board.Histograms(t)] for t in tags['histograms']}}))
)";

ProcessResult run_python(const std::vector<std::string>& words) {
  std::vector<std::string> all = {"/usr/bin/env", python(), "-c"};
  all.insert(all.end(), words.begin(), words.end());
  return run_process(all);
}

class TensorBoard : public testing::Test {
 protected:
  void SetUp() override {
    if (run_python({"import tensorboard"}).exit_code != 0)
      GTEST_SKIP() << python() << " has no tensorboard (PGAD_TENSORBOARD_PYTHON chooses another interpreter)";
  }

  nlohmann::json read() {
    const ProcessResult r = run_python({kScript, dir_.path()});
    if (r.exit_code != 0) throw Error("TensorBoard: " + r.err);
    return nlohmann::json::parse(r.out);
  }
  static double number(const nlohmann::json& text) { return std::strtod(text.get<std::string>().c_str(), nullptr); }
  // Steps of a tag's scalars, each with its value.
  static std::vector<std::pair<int, double>> scalars(const nlohmann::json& board, const std::string& tag) {
    std::vector<std::pair<int, double>> points;
    for (const auto& point : board.at("scalars").at(tag)) points.emplace_back(point.at(0), number(point.at(1)));
    return points;
  }

  TempDir dir_;
};

using Points = std::vector<std::pair<int, double>>;

TEST_F(TensorBoard, ReadsWhatWasAdded) {
  EventFile file(dir_.path());
  file.add_scalar("d_loss", 16, 0.1);
  file.add_scalar("d_loss", 32, kInfinity);
  file.add_scalar("swd/64", 100000, -12.5);
  for (const int channels : {1, 3}) file.add_image("samples", channels, picture(40, 60, channels));
  file.add_histogram("combined/normal", 9, std::vector<double>{1, 2, 2, 5});
  const nlohmann::json board = read();
  EXPECT_EQ(scalars(board, "d_loss"), Points({{16, 0.1f}, {32, kInfinity}}));
  EXPECT_EQ(scalars(board, "swd/64"), Points({{100000, -12.5}}));
  EXPECT_EQ(board["scalars"].size(), 2u);
  const auto& images = board["images"].at("samples");
  ASSERT_EQ(images.size(), 2u);
  for (const auto& image : images) {
    EXPECT_EQ(image[1], 40);
    EXPECT_EQ(image[2], 60);
    std::string hex = image[3], png;
    for (std::size_t i = 0; i < hex.size(); i += 2) png += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    EXPECT_EQ(decode_image(png, "samples").pixels, picture(40, 60, image[0]).pixels);
  }
  const auto& h = board["histograms"].at("combined/normal").at(0);
  EXPECT_EQ(h[0], 9);
  const double figures[] = {4, 1, 5, 10, 34};  // count, least, greatest, sum, sum of squares
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(number(h[1 + i]), figures[i]) << i;
  double count = 0;
  for (const auto& bin : h[7]) count += number(bin);
  EXPECT_EQ(count, 4);
  EXPECT_EQ(h[6].size(), h[7].size());
  EXPECT_EQ(number(h[6].back()), 5);
}

TEST_F(TensorBoard, JoinsTheFilesOfARunThatGoesOn) {
  {
    EventFile file(dir_.path());
    for (const int step : {8, 16, 24, 32}) file.add_scalar("loss", step, 1);
  }
  EventFile file(dir_.path(), 17);
  for (const int step : {24, 40}) file.add_scalar("loss", step, 2);
  EXPECT_EQ(scalars(read(), "loss"), Points({{8, 1}, {16, 1}, {24, 2}, {40, 2}}));
}

TEST_F(TensorBoard, ReadsAFileWhoseLastRecordIsCutOff) {
  EventFile file(dir_.path());
  file.add_scalar("loss", 1, 1);
  const auto whole = fs::file_size(file.path());
  file.add_scalar("loss", 2, 1);
  for (const auto cut : {fs::file_size(file.path()) - 1, whole + 14, whole + 3}) {
    fs::resize_file(file.path(), cut);
    EXPECT_EQ(scalars(read(), "loss"), Points({{1, 1}})) << cut;
  }
}

}  // namespace
}  // namespace pgad::test
