// Surfaces that do not exist, and the program that makes data sets of them.

#include "synthesis/industrial.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/programs.h"

namespace pgad::test {
namespace {

SurfaceOptions small(Surface surface, int channels = 1) {
  SurfaceOptions o;
  o.surface = surface;
  o.height = 96;
  o.width = 128;
  o.channels = channels;
  return o;
}

double mean_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string name_of(Surface surface) { return kSurfaceNames[static_cast<int>(surface)]; }

class EverySurface : public ::testing::TestWithParam<int> {
 protected:
  Surface surface() const { return static_cast<Surface>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(, EverySurface, ::testing::Range(0, 5),
                         [](const auto& it) { return name_of(static_cast<Surface>(it.param)); });

TEST_P(EverySurface, IsAFunctionOfItsOptionsAndVaries) {
  const SurfaceOptions o = small(surface());
  const Image a = draw_surface(o, 3).image, again = draw_surface(o, 3).image, b = draw_surface(o, 4).image;
  EXPECT_EQ(a.pixels, again.pixels);
  EXPECT_NE(a.pixels, b.pixels);
  SurfaceOptions other = o;
  other.seed = 2;
  EXPECT_NE(a.pixels, draw_surface(other, 3).image.pixels);
  // A surface, neither black nor white nor even, that stays what it is from image to image.
  for (const Image* image : {&a, &b}) {
    const double mean = mean_of(image->pixels);
    double square = 0;
    for (const float v : image->pixels) square += (v - mean) * (v - mean) / static_cast<double>(image->pixels.size());
    EXPECT_TRUE(mean > 0.1 && mean < 0.9) << mean;
    EXPECT_GT(std::sqrt(square), 0.02);
    EXPECT_LT(std::ranges::count_if(image->pixels, [](float v) { return v <= 0 || v >= 1; }), 100);
  }
  EXPECT_NEAR(mean_of(a.pixels), mean_of(b.pixels), 0.15);
}

// The image with a flaw is the one without, but for the marked pixels, what they shade and the camera's noise.
TEST_P(EverySurface, FlawsAreSmallAndWhereTheMaskSays) {
  const SurfaceOptions o = small(surface());
  for (int f = 0; f < kFlawCount; ++f) {
    const std::uint64_t number = static_cast<std::uint64_t>(10 + f);
    const SurfaceImage flawed = draw_surface(o, number, static_cast<Flaw>(f));
    const Image sound = draw_surface(o, number).image;
    EXPECT_TRUE(draw_surface(o, number).mask.empty());
    ASSERT_EQ(flawed.mask.size(), sound.pixels.size());
    const auto marked = std::ranges::count(flawed.mask, 1);
    EXPECT_GT(marked, 0) << kFlawNames[f];
    EXPECT_LE(static_cast<double>(marked), kLargestFlaw * static_cast<double>(flawed.mask.size())) << kFlawNames[f];
    double inside = 0, beyond = 0;
    for (int y = 0; y < o.height; ++y)
      for (int x = 0; x < o.width; ++x) {
        bool near = false;
        for (int v = std::max(0, y - 4); v <= std::min(o.height - 1, y + 4); ++v)
          for (int u = std::max(0, x - 4); u <= std::min(o.width - 1, x + 4); ++u)
            near = near || flawed.mask[static_cast<std::size_t>(v * o.width + u)] != 0;
        const auto at = static_cast<std::size_t>(y * o.width + x);
        const double difference = std::abs(flawed.image.pixels[at] - sound.pixels[at]);
        (near ? inside : beyond) = std::max(near ? inside : beyond, difference);
      }
    EXPECT_GT(inside, 2.5 / 255) << kFlawNames[f];
    EXPECT_LT(beyond, 1.5 / 255) << kFlawNames[f];
  }
}

// The first dent drawn into this leather would have a ratio of 1.7, and nobody sees it.
TEST(Surfaces, FlawsCanBeSeen) {
  SurfaceOptions o;
  o.surface = Surface::kLeather;
  o.seed = 5001;
  const SurfaceImage drawn = draw_surface(o, 100, Flaw::kDent);
  EXPECT_GE(drawn.detectability, kLeastDetectability);
  EXPECT_GT(std::ranges::count(drawn.mask, 1), 0);
  EXPECT_EQ(draw_surface(o, 100).detectability, 0);
  // In paper no dent stands out so far: the best of those tried.
  SurfaceOptions paper = o;
  paper.surface = Surface::kPrinted;
  const double faint = draw_surface(paper, 104, Flaw::kDent).detectability;
  EXPECT_GT(faint, 2);
  EXPECT_LT(faint, kLeastDetectability);
}

TEST(Surfaces, HaveAnySizeAndColour) {
  for (const auto& [height, width] : {std::pair(64, 64), std::pair(65, 300)}) {
    SurfaceOptions o = small(Surface::kLeather, 3);
    o.height = height;
    o.width = width;
    const SurfaceImage drawn = draw_surface(o, 1, Flaw::kScratch);
    EXPECT_EQ(drawn.image.pixels.size(), static_cast<std::size_t>(height * width * 3));
    EXPECT_EQ(drawn.mask.size(), static_cast<std::size_t>(height * width));
    double red = 0, blue = 0;
    for (std::size_t i = 0; i < drawn.image.pixels.size(); i += 3) {
      red += drawn.image.pixels[i];
      blue += drawn.image.pixels[i + 2];
    }
    EXPECT_GT(red, 1.3 * blue);  // brown
  }
}

ProcessResult data(const Words& words) {
  return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_data"} + words);
}

TEST(MakeIndustrial, WritesAnInspectionFolder) {
  const TempDir dir;
  const Words options = {"make-industrial",
                         "--surface",
                         "woven",
                         "--size",
                         "64",
                         "--train",
                         "6",
                         "--known-each",
                         "2",
                         "--test",
                         "3",
                         "--test-each",
                         "2",
                         "--kinds",
                         "scratch,stain,thread",
                         "--unseen",
                         "stain",
                         "--contaminated",
                         "0.34"};
  ASSERT_TRUE(ended(data(options + Words{"--out", dir / "a", "--threads", "2"}), 0, {"19 images of 64x64"}));
  ASSERT_TRUE(ended(data(options + Words{"--out", dir / "b", "--threads", "1"}), 0));
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir / "a")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const std::string name = fs::relative(entry.path(), dir / "a").string();
    EXPECT_EQ(read_file(entry.path().string()), read_file((dir / "b") + "/" + name)) << name;
  }
  EXPECT_EQ(files, 19 + 4 + 6 + 1);  // images, masks of known and of tested defects, the description
  EXPECT_FALSE(fs::exists(dir / "a/train/abnormal/stain_0000.png"));
  EXPECT_TRUE(fs::exists(dir / "a/test/stain/0001.png"));
  const auto json = nlohmann::json::parse(read_file(dir / "a/description.json"));
  EXPECT_EQ(json.at("contaminated_images").size(), 2u);
  const Image mask = read_image(dir / "a/ground_truth/abnormal/scratch_0000_mask.png");
  EXPECT_GT(mean_of(mask.pixels), 0);
  // What pgad_train makes of it.
  EXPECT_TRUE(ended(train({"--data",
                           dir / "a",
                           "--preset",
                           "tile64",
                           "--resolution",
                           "16",
                           "--fmap-max",
                           "4",
                           "--start-resolution",
                           "8",
                           "--total-kimg",
                           ".05",
                           "--encoder-kimg",
                           ".05",
                           "--patch-critic-kimg",
                           ".05",
                           "--patch-critic-levels",
                           "3",
                           "--steps",
                           "1",
                           "--threads",
                           "1",
                           "--calibration-fraction",
                           ".34",
                           "--out",
                           dir / "run"}),
                    0, {"saved"}));
}

TEST(MakeIndustrial, RefusesWhatMakesNoSense) {
  const TempDir dir;
  const std::string out = dir / "x";
  EXPECT_TRUE(refused(data({"make-industrial", "--surface", "velvet", "--out", out}), 2,
                      {"--surface: 'velvet'", "brushed, cast, woven, leather or printed"}));
  EXPECT_TRUE(refused(data({"make-industrial", "--kinds", "scratch,hole", "--out", out}), 2, {"--kinds: 'hole'"}));
  EXPECT_TRUE(refused(data({"make-industrial", "--kinds", "scratch,scratch", "--out", out}), 2,
                      {"--kinds: 'scratch' stands twice"}));
  EXPECT_TRUE(refused(data({"make-industrial", "--kinds", "scratch", "--unseen", "pit", "--out", out}), 2,
                      {"--unseen: 'pit' is not among --kinds"}));
  EXPECT_TRUE(refused(data({"make-industrial", "--size", "8", "--out", out}), 2, {"--size"}));
  EXPECT_FALSE(fs::exists(out));
  fs::create_directories(out);
  write_file_atomically(out + "/mine.txt", "kept");
  EXPECT_TRUE(refused(data({"make-industrial", "--out", out}), 2, {"--out", "expected a new or an empty folder"}));
  EXPECT_EQ(read_file(out + "/mine.txt"), "kept");
}

}  // namespace
}  // namespace pgad::test
