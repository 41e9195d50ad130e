// Regions of an anomaly map, and the files that say them.

#include "inspection/regions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/rng.h"
#include "images/pictures.h"
#include "inspection/metrics.h"
#include "report/region_files.h"

namespace pgad::test {
namespace {

// A map of characters: '.' is 0, a digit is itself.
struct Drawn {
  int height, width;
  std::vector<float> map;
  explicit Drawn(const std::vector<std::string>& rows)
      : height(static_cast<int>(rows.size())), width(static_cast<int>(rows[0].size())) {
    for (const std::string& row : rows)
      for (const char c : row) map.push_back(c == '.' ? 0.0f : static_cast<float>(c - '0'));
  }
  std::vector<Region> regions(const RegionOptions& options = {.threshold = 0.5, .extent = 0.5}) const {
    return find_regions(map, height, width, options);
  }
};

using Contours = std::vector<std::vector<int>>;

TEST(Regions, SayWhereHowLargeAndHowHigh) {
  const Drawn drawn({
      "......",
      ".12...",
      ".3....",
      "....9.",
  });
  const std::vector<Region> regions = drawn.regions();
  ASSERT_EQ(regions.size(), 2u);
  EXPECT_EQ(regions[0].peak, 9);  // the highest first
  EXPECT_EQ(regions[0].contours, (Contours{{4, 3, 5, 3, 5, 4, 4, 4}}));
  const Region& r = regions[1];
  EXPECT_EQ(std::vector({r.left, r.top, r.width, r.height}), std::vector({1, 1, 2, 2}));
  EXPECT_EQ(r.area, 3);
  EXPECT_EQ(r.mean, 2);
  EXPECT_EQ(std::pair(r.peak_x, r.peak_y), std::pair(1, 2));
  EXPECT_EQ(r.contours, (Contours{{1, 1, 3, 1, 3, 2, 2, 2, 2, 3, 1, 3}}));
}

TEST(Regions, PixelsThatMeetAtACornerAreOneAndSoIsItsContour) {
  EXPECT_EQ(Drawn({"1.", ".1"}).regions()[0].contours, (Contours{{0, 0, 1, 0, 1, 1, 2, 1, 2, 2, 1, 2, 1, 1, 0, 1}}));
  EXPECT_EQ(Drawn({".1", "1."}).regions().size(), 1u);
  EXPECT_EQ(Drawn({".1", "1."}).regions()[0].contours.size(), 1u);
}

TEST(Regions, HolesHaveContoursOfTheirOwnAndWhatIsInThemIsAnother) {
  const std::vector<Region> ring = Drawn({
                                             "11111",
                                             "1...1",
                                             "1.2.1",
                                             "1...1",
                                             "11111",
                                         })
                                       .regions();
  ASSERT_EQ(ring.size(), 2u);
  EXPECT_EQ(ring[0].area, 1);
  EXPECT_EQ(ring[1].area, 16);
  EXPECT_EQ(ring[1].contours, (Contours{{0, 0, 5, 0, 5, 5, 0, 5}, {1, 1, 1, 4, 4, 4, 4, 1}}));
  // Two holes that meet at a corner are two: what surrounds them is joined there.
  const std::vector<Region> two = Drawn({
                                            "1111",
                                            "1.11",
                                            "11.1",
                                            "1111",
                                        })
                                      .regions();
  ASSERT_EQ(two.size(), 1u);
  EXPECT_EQ(two[0].contours.size(), 3u);
}

TEST(Regions, NeedAPeakAboveTheThresholdAndReachDownToTheExtent) {
  const Drawn drawn({"12531..121"});
  const std::vector<Region> one = drawn.regions({.threshold = 4, .extent = 1.5});
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].left, 1);
  EXPECT_EQ(one[0].width, 3);
  EXPECT_TRUE(drawn.regions({.threshold = 5, .extent = 1.5}).empty());  // at it is not above it
  EXPECT_EQ(drawn.regions({.threshold = 1, .extent = 1}).size(), 2u);
  EXPECT_EQ(drawn.regions({.threshold = 1, .extent = 1, .min_area = 2}).size(), 1u);
}

TEST(Regions, TheHighestWhereThereMustBeOne) {
  const Drawn drawn({"1253.4.15"});
  const RegionOptions at_least_one{.threshold = 7, .extent = 1.5, .always_one = true};
  const std::vector<Region> one = drawn.regions(at_least_one);
  ASSERT_EQ(one.size(), 2u);  // of the same height
  EXPECT_EQ(one[0].left, 1);
  EXPECT_EQ(one[1].left, 8);
  RegionOptions options = at_least_one;
  options.min_area = 3;
  EXPECT_EQ(drawn.regions(options).size(), 1u);
  options.threshold = 4.5;  // nothing is added where there is one
  options.min_area = 1;
  EXPECT_EQ(drawn.regions(options).size(), 2u);
  options.threshold = options.extent = 6;
  EXPECT_TRUE(drawn.regions(options).empty());
  // The extent that belongs to a threshold is never above it.
  for (const double t : {-2.0, 0.0, 6.0}) EXPECT_LE(region_options(t, 1).extent, region_options(t, 1).threshold);
}

TEST(Regions, OfNothingAndOfNumbersThatAreNone) {
  EXPECT_TRUE(Drawn({"...", "..."}).regions().empty());
  const std::vector<float> map = {std::nanf(""), 2, -INFINITY, INFINITY};
  const std::vector<Region> regions = find_regions(map, 1, 4, {.threshold = 1, .extent = 1});
  ASSERT_EQ(regions.size(), 2u);
  EXPECT_EQ(regions[1].area, 1);
}

// Pixels of a COCO file's run lengths, by its definition alone.
std::vector<std::uint8_t> decoded(const nlohmann::ordered_json& segmentation) {
  const int height = segmentation.at("size").at(0), width = segmentation.at("size").at(1);
  std::vector<std::uint8_t> down_columns;
  std::uint8_t value = 0;
  for (const std::size_t count : segmentation.at("counts").get<std::vector<std::size_t>>()) {
    down_columns.insert(down_columns.end(), count, value);
    value ^= 1;
  }
  std::vector<std::uint8_t> mask;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) mask.push_back(down_columns.at(static_cast<std::size_t>(x * height + y)));
  EXPECT_EQ(down_columns.size(), mask.size());
  return mask;
}

// Every pixel is in one region, in every form that says it: contours, runs, labels and COCO's lengths, of maps with
// holes, islands in them and pixels that meet at corners.
TEST(Regions, AllFormsSayTheSamePixels) {
  Rng rng(1, 2);
  for (int round = 0; round < 200; ++round) {
    const int h = 1 + static_cast<int>(rng.below(12)), w = 1 + static_cast<int>(rng.below(12));
    const auto density = static_cast<float>(rng.uniform());
    std::vector<float> map;
    for (int i = 0; i < h * w; ++i) map.push_back(rng.uniform() < density ? 1 + static_cast<float>(rng.uniform()) : 0);
    std::vector<std::uint8_t> above;
    for (const float v : map) above.push_back(v > 0);
    const Components truth = connected_components(above, h, w);

    const std::vector<Region> regions = find_regions(map, h, w, {.threshold = 0, .extent = 0});
    ASSERT_EQ(std::ssize(regions), truth.count);
    const std::vector<std::uint8_t> labels = label_mask(regions, h, w);
    CocoRegions coco;
    coco.add("a.png", 3, 4, {});
    coco.add("b.png", h, w, regions);
    const auto json = nlohmann::ordered_json::parse(coco.json());
    ASSERT_EQ(json.at("annotations").size(), regions.size());
    std::set<std::int32_t> seen;
    for (std::size_t r = 0; r < regions.size(); ++r) {
      const auto at = [&](std::size_t i) { return labels[i] == r + 1; };
      const std::size_t peak = static_cast<std::size_t>(regions[r].peak_y * w + regions[r].peak_x);
      const std::int32_t label = truth.labels[peak];
      EXPECT_TRUE(seen.insert(label).second);
      const auto& annotation = json.at("annotations").at(r);
      const std::vector<std::uint8_t> mask = decoded(annotation.at("segmentation"));
      std::int64_t area = 0;
      for (std::size_t i = 0; i < map.size(); ++i) {
        EXPECT_EQ(at(i), truth.labels[i] == label);
        EXPECT_EQ(mask[i] != 0, truth.labels[i] == label);
        area += at(i);
      }
      EXPECT_EQ(regions[r].area, area);
      EXPECT_EQ(annotation.at("area"), area);
      EXPECT_EQ(annotation.at("image_id"), 2);
      EXPECT_EQ(annotation.at("bbox"), to_json(regions[r]).at("box"));
      // What is written is read back.
      EXPECT_EQ(to_json(region_from_json(nlohmann::ordered_json::parse(to_json(regions[r]).dump()))),
                to_json(regions[r]));
    }
  }
}

TEST(Regions, MatchThoseOfTheMaskOneToOne) {
  const std::vector<Region> regions = Drawn({
                                                "11...2....",
                                                "11...2..3.",
                                            })
                                          .regions();
  ASSERT_EQ(regions.size(), 3u);
  const std::vector<std::uint8_t> mask = {
      1, 0, 0, 0, 0, 1, 0, 0, 0, 0,  //
      1, 0, 0, 1, 0, 1, 0, 0, 0, 0,
  };
  const RegionMatches half = match_regions(regions, mask, 2, 10, 0.5);
  EXPECT_EQ(half.truths, 3);
  EXPECT_EQ(half.regions, 3);
  EXPECT_EQ(half.found, 2);  // an IoU of one half, and of one
  EXPECT_EQ(match_regions(regions, mask, 2, 10, 0.51).found, 1);
  // One region over two of the mask is one of them.
  const std::vector<Region> bar = Drawn({"1111"}).regions();
  EXPECT_EQ(match_regions(bar, std::vector<std::uint8_t>{1, 1, 0, 1}, 1, 4, 0.2).found, 1);
  EXPECT_EQ(match_regions(bar, {}, 1, 4, 0.2).truths, 0);
  EXPECT_EQ(match_regions(bar, {}, 1, 4, 0.2).regions, 1);
}

TEST(Regions, OutlinesLeaveThePixelsThemselvesToBeSeen) {
  Image image{3, 4, 3, std::vector<float>(36, 0.5f)};
  const std::vector<std::uint8_t> labels = {0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
  outline(image, labels);
  const auto painted = [&](int y, int x) { return image.pixels[static_cast<std::size_t>(3 * (4 * y + x))] != 0.5f; };
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 4; ++x) EXPECT_EQ(painted(y, x), x < 2 && !(x == 0 && y == 1)) << x << "," << y;
}

}  // namespace
}  // namespace pgad::test
