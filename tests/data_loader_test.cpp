// Background loading: order, bounds, bad images, clean shutdown, and the same values with and without the
// cache.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/loader.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

constexpr int kImages = 40;

class DataLoader : public ::testing::Test {
 protected:
  DataLoader() {
    for (int i = 0; i < kImages; ++i) {
      const std::string name = str("image", i, ".png");
      put(dir_ / name, encoded()[static_cast<std::size_t>(i)]);
      samples_.push_back({name, dir_ / name, -1, "", false, ""});
    }
  }
  // Made once for all tests.
  static const std::vector<std::string>& encoded() {
    static const std::vector<std::string> files = [] {
      TempDir dir;
      std::vector<std::string> out;
      for (std::size_t i = 0; i < kImages; ++i) {
        Image image{10 + static_cast<int>(i % 3), 12, 3, {}};
        image.pixels.resize(image.size());
        for (std::size_t k = 0; k < image.pixels.size(); ++k) {
          image.pixels[k] = static_cast<float>((k * 31 + i * 97) % 256) / 255.0f;
        }
        write_png(dir / "x.png", image);
        out.push_back(read_file(dir / "x.png"));
      }
      return out;
    }();
    return files;
  }
  void damage(int i) { put(samples_[i].path, read_file(samples_[i].path).substr(0, 60)); }

  TempDir dir_;
  std::vector<Sample> samples_;
  const Preprocessing p_{8, 3, Fit::kResize, false};
};

TEST_F(DataLoader, StreamsInOrderAndReportsBadImages) {
  damage(3);
  damage(17);
  std::filesystem::remove(samples_[0].path);
  for (const auto& [threads, capacity] : std::vector<std::pair<int, int>>{{1, 1}, {4, 1}, {4, 3}, {3, 100}, {0, 0}}) {
    Loader loader(samples_, ImageSource(), p_, {threads, capacity});
    for (int i = 0; i < kImages; ++i) {
      const std::optional<Loader::Item> item = loader.next();
      ASSERT_TRUE(item);
      EXPECT_EQ(item->index, i);
      if (i == 0 || i == 3 || i == 17) {
        EXPECT_TRUE(item->pixels.empty());
        EXPECT_NE(item->error.find(samples_[i].path), std::string::npos) << item->error;
      } else {
        EXPECT_EQ(item->error, "");
        EXPECT_EQ(item->pixels, preprocess(read_image(samples_[i].path), p_));
        EXPECT_EQ(item->height, 10 + i % 3);
        EXPECT_EQ(item->width, 12);
      }
    }
    EXPECT_FALSE(loader.next());
    EXPECT_FALSE(loader.next());
  }
}

TEST_F(DataLoader, DoesNotRunFurtherAheadThanItsCapacity) {
  // A file that is removed before the loader may reach it must be reported missing.
  Loader loader(samples_, ImageSource(), p_, {4, 5});
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  for (int i = 5; i < kImages; ++i) std::filesystem::remove(samples_[i].path);
  for (int i = 0; i < kImages; ++i) {
    const std::optional<Loader::Item> item = loader.next();
    EXPECT_EQ(item->error.empty(), i < 5) << i;
  }
}

TEST_F(DataLoader, StopsAtAnyPoint) {
  for (int taken = 0; taken < 10; ++taken) {
    Loader loader(samples_, ImageSource(), p_, {4, 4});
    for (int i = 0; i < taken; ++i) loader.next();
  }
  Loader none({}, ImageSource(), p_);
  EXPECT_FALSE(none.next());
}

TEST_F(DataLoader, NotesAndDecodingMemoryErrorsStayWithTheirImage) {
  // A JPEG signature followed by nothing useful.
  put(samples_[1].path, std::string("\xff\xd8\xff\xe0garbage"));
  Loader loader(std::span<const Sample>(samples_).first(3), ImageSource(), p_);
  EXPECT_EQ(loader.next()->error, "");
  EXPECT_NE(loader.next()->error.find("JPEG"), std::string::npos);
  EXPECT_EQ(loader.next()->error, "");
}

std::vector<float> fetched(TrainingImages& images, const std::vector<long>& indices) {  // of 8x8
  std::vector<float> out(indices.size() * static_cast<std::size_t>(64 * images.channels()));
  images.fetch(indices, 8, out.data());
  return out;
}

TEST_F(DataLoader, TrainingImagesAreTheSameCachedOrNot) {
  const std::size_t one = 8 * 8 * 3;
  TrainingImages all(samples_, ImageSource(), p_);
  TrainingImages some(samples_, ImageSource(), p_, {10 * one + 5, 3, false});
  TrainingImages none(samples_, ImageSource(), p_, {0, 2, false});
  EXPECT_EQ(all.cached(), kImages);
  EXPECT_EQ(some.cached(), 10);
  EXPECT_EQ(none.cached(), 0);
  EXPECT_EQ(all.size(), kImages);
  const std::vector<long> indices = {39, 0, 9, 10, 10, 3, 25, 39};
  const std::vector<float> values = fetched(all, indices);
  EXPECT_EQ(fetched(some, indices), values);
  EXPECT_EQ(fetched(none, indices), values);
  none.prefetch(indices);
  EXPECT_EQ(fetched(none, indices), values);
  EXPECT_TRUE(fetched(none, {}).empty());
  // Within half a step of 8 bits of what scoring sees.
  const std::vector<float> exact = preprocess(read_image(samples_[39].path), p_);
  for (std::size_t i = 0; i < one; ++i) ASSERT_NEAR(values[i], exact[i], 1.001f / 255);
}

TEST_F(DataLoader, EightBitImagesOfTheRightSizeAreExact) {
  Image image{8, 8, 1, {}};
  for (int i = 0; i < 64; ++i) image.pixels.push_back(static_cast<float>(i * 4) / 255.0f);
  write_png(samples_[0].path, image);
  const Preprocessing p{8, 1, Fit::kResize, false};
  TrainingImages images({samples_[0]}, ImageSource(), p);
  EXPECT_EQ(fetched(images, {0}), preprocess(image, p));
}

TEST_F(DataLoader, SmallerTrainingImagesAreAverages) {
  TrainingImages images(samples_, ImageSource(), p_);
  const std::vector<long> indices = {0, 17, 39};
  const std::vector<float> whole = fetched(images, indices);
  for (const int side : {4, 2, 1}) {
    const int factor = 8 / side;
    std::vector<float> out(indices.size() * static_cast<std::size_t>(side * side * 3) + 1, 77.f);
    images.fetch(indices, side, out.data());
    for (int n = 0; n < 3; ++n)
      for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x)
          for (int c = 0; c < 3; ++c) {
            double mean = 0;
            for (int i = 0; i < factor * factor; ++i) {
              const int row = y * factor + i / factor, column = x * factor + i % factor;
              mean += static_cast<double>(whole[static_cast<std::size_t>(((n * 8 + row) * 8 + column) * 3 + c)]) /
                      (factor * factor);
            }
            ASSERT_NEAR(out[static_cast<std::size_t>(((n * side + y) * side + x) * 3 + c)], mean, 1e-6);
          }
    EXPECT_EQ(out.back(), 77.f);
  }
  float unused = 0;
  EXPECT_THROW(images.fetch(indices, 3, &unused), Error);
  EXPECT_THROW(images.fetch(indices, 16, &unused), Error);
}

TEST_F(DataLoader, PrefetchIsAHintWhateverIsAskedForNext) {
  TrainingImages all(samples_, ImageSource(), p_);
  TrainingImages images(samples_, ImageSource(), p_, {5 * 192, 4, false});
  for (long step = 0; step < 60; ++step) {
    std::vector<long> next, other;
    for (long k = 0; k < 6; ++k) {
      next.push_back((step * 7 + k * 5) % kImages);
      other.push_back((step * 3 + k) % kImages);
    }
    images.prefetch(next);
    if (step % 3 == 0) images.prefetch(other);  // replaces
    if (step % 4 == 1) {
      EXPECT_EQ(fetched(images, other), fetched(all, other));
    }
    EXPECT_EQ(fetched(images, next), fetched(all, next));
  }
  images.prefetch(std::vector<long>{6, 7, 8});  // and never fetched
}

TEST_F(DataLoader, SeveralThreadsFetch) {
  TrainingImages all(samples_, ImageSource(), p_);
  TrainingImages images(samples_, ImageSource(), p_, {5 * 192, 2, false});
  std::vector<std::vector<float>> results(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < results.size(); ++t) {
      threads.emplace_back([&, t] {
        for (long step = 0; step < 15; ++step) {
          const std::vector<long> indices = {step, step + 10, static_cast<long>(t) + 20};
          images.prefetch(indices);
          const auto values = fetched(images, indices);
          results[t].insert(results[t].end(), values.begin(), values.end());
        }
      });
    }
  }
  for (std::size_t t = 0; t < results.size(); ++t) {
    std::vector<float> expected;
    for (long step = 0; step < 15; ++step) {
      const auto values = fetched(all, {step, step + 10, static_cast<long>(t) + 20});
      expected.insert(expected.end(), values.begin(), values.end());
    }
    EXPECT_EQ(results[t], expected);
  }
}

TEST_F(DataLoader, BadTrainingImagesAreLeftOutAndListed) {
  const std::vector<float> good = [&] {
    TrainingImages all(samples_, ImageSource(), p_);
    return fetched(all, {1, 6});
  }();
  damage(0);
  damage(5);
  for (const std::size_t limit : {std::size_t{1} << 30, std::size_t{3 * 192}}) {
    TrainingImages images(samples_, ImageSource(), p_, {limit, 0, false});
    EXPECT_EQ(images.size(), kImages - 2);
    ASSERT_EQ(images.bad().size(), 2u);
    EXPECT_EQ(images.bad()[0].name, "image0.png");
    EXPECT_EQ(images.bad()[1].name, "image5.png");
    EXPECT_NE(images.bad()[1].reason.find("truncated or corrupt PNG"), std::string::npos) << images.bad()[1].reason;
    EXPECT_EQ(images.sample(0).name, "image1.png");
    EXPECT_EQ(images.sample(4).name, "image6.png");
    EXPECT_EQ(fetched(images, {0, 4}), good);
    EXPECT_THROW(images.sample(kImages - 2), Error);
    EXPECT_THROW(fetched(images, {-1}), Error);
    EXPECT_THROW(images.prefetch(std::vector<long>{kImages}), Error);
  }
  const std::string strict = error_of([&] { TrainingImages(samples_, ImageSource(), p_, {1 << 20, 0, true}); });
  EXPECT_NE(strict.find("bad training image image"), std::string::npos) << strict;
}

TEST_F(DataLoader, OnlyBadTrainingImagesIsAnError) {
  for (int i = 0; i < kImages; ++i) damage(i);
  const std::string error = error_of([&] { TrainingImages(samples_, ImageSource(), p_); });
  EXPECT_NE(error.find("none of 40 images can be used; the first, image0.png: '"), std::string::npos) << error;
  TrainingImages empty({}, ImageSource(), p_);
  EXPECT_EQ(empty.size(), 0);
}

TEST_F(DataLoader, FileThatVanishesLater) {
  TrainingImages images(samples_, ImageSource(), p_, {0, 2, false});
  std::filesystem::remove(samples_[7].path);
  for (const bool prefetched : {false, true}) {
    if (prefetched) images.prefetch(std::vector<long>{6, 7});
    const std::string error = error_of([&] { fetched(images, {6, 7}); });
    EXPECT_NE(error.find("image7.png': No such file"), std::string::npos) << error;
  }
  EXPECT_NO_THROW(fetched(images, {6, 8}));
}

}  // namespace
}  // namespace pgad::test
