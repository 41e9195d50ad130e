// The latent search: an image's result depends on nothing but the image.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <tuple>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "images/image.h"
#include "inspection/scorer.h"
#include "inspection/search_time.h"
#include "kernels/latent_step/latent_step.h"
#include "kernels/matmul/matmul.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

struct Rig {
  Exec exec;
  NetworkConfig network;
  std::shared_ptr<const Generator> g;
  std::shared_ptr<const Discriminator> d;
  ScoringConfig scoring;

  explicit Rig(int resolution = 16, Loss loss_ = Loss::kLogistic, int threads = 2, Isa isa = chosen_isa(),
               int maps = 32)
      : exec(Device{}, threads, Implementation::kFastest, Precision::kFp32, isa),
        network(make(resolution, maps)),
        g(make_generator(exec, network, 1)),
        d(make_discriminator(exec, network, 1)),
        loss(loss_) {
    scoring.gamma = 0.5;
    scoring.steps = 40;
  }
  static NetworkConfig make(int resolution, int maps) {
    NetworkConfig n;
    n.resolution = resolution;
    n.fmap_max = maps;
    return n;
  }
  Loss loss;
  SearchModel model() const { return {g.get(), d.get(), network, loss, network.log2_resolution(), 1, 0.3, 0.1}; }

  static void draw(int number, std::span<float> image) {
    Rng rng(50, static_cast<std::uint64_t>(number));
    for (float& v : image) v = static_cast<float>(2 * rng.uniform() - 1);
  }

  // Images by number, in this order, in one batch.
  struct Result {
    std::vector<SearchScores> scores;
    std::vector<float> z;
  };
  Result search(const std::vector<int>& images) {
    LatentSearch s(exec, model(), scoring, static_cast<int>(images.size()));
    for (std::size_t i = 0; i < images.size(); ++i) draw(images[i], s.image(static_cast<int>(i)));
    s.run();
    Result result;
    for (int i = 0; i < s.batch(); ++i) {
      result.scores.push_back(s.scores(i));
      for (const float v : s.best_latent(i)) result.z.push_back(v);
    }
    return result;
  }
};

void expect_equal(const SearchScores& a, const SearchScores& b) {  // to the bit
  EXPECT_EQ(a.residual, b.residual);
  EXPECT_EQ(a.feature, b.feature);
  EXPECT_EQ(a.latent_critic, b.latent_critic);
  EXPECT_EQ(a.paper, b.paper);
  EXPECT_EQ(a.critic, b.critic);
}

// `images` of `slots` at once, each ending after steps drawn by `draw`, at a tenth of a second a step (the first: two
// seconds). Returns the worst ratio of the time left and the estimate between `from` and `to` of all steps.
double worst_search_estimate(int images, int slots, double longest, double from, double to,
                             const std::function<int()>& draw) {
  struct Place {
    int taken, needs;
  };
  std::vector<double> clock, estimates;
  SearchTime time(images, slots, longest);
  std::vector<Place> places;
  double now = 0;
  for (int begun = 0; begun < images || !places.empty();) {
    while (begun < images && places.size() < static_cast<std::size_t>(slots)) {
      places.push_back({0, draw()});
      ++begun;
    }
    const double seconds = clock.empty() ? 2 : 0.1;
    now += seconds;
    time.step(seconds);
    for (Place& p : places)
      if (++p.taken == p.needs) time.image(p.taken);
    std::erase_if(places, [](const Place& p) { return p.taken == p.needs; });
    std::vector<int> taken;
    for (const Place& p : places) taken.push_back(p.taken);
    clock.push_back(now);
    estimates.push_back(time.seconds_left(taken).value());
  }
  double worst = 1;
  for (std::size_t i = 0; i < clock.size(); ++i) {
    if (clock[i] < from * now || clock[i] > to * now) continue;
    const double ratio = estimates[i] / (now - clock[i]);
    worst = std::max({worst, ratio, 1 / ratio});
  }
  EXPECT_EQ(estimates.back(), 0);
  return worst;
}

TEST(SearchTime, BelievableFromTheBeginning) {
  Rng rng(3, 0);
  EXPECT_FALSE(SearchTime(10, 2, 500).seconds_left({}).has_value());
  // All take the same: right from the second step.
  EXPECT_LT(worst_search_estimate(100, 16, 500, 0.01, 0.99, [] { return 500; }), 1.1);
  EXPECT_LT(worst_search_estimate(3, 16, 500, 0.05, 0.9, [] { return 500; }), 1.1);
  // Early ends, from 10 steps to all 500.
  const auto early = [&] { return 10 + static_cast<int>(std::min(490.0, -60 * std::log(1 - rng.uniform()))); };
  EXPECT_LT(worst_search_estimate(2000, 16, 500, 0.1, 0.6, early), 1.3);
  EXPECT_LT(worst_search_estimate(400, 16, 500, 0.1, 0.6, early), 1.6);  // a straggler at the end cannot be foreseen
  const auto two_kinds = [&] { return rng.uniform() < 0.8 ? 30 : 400; };
  EXPECT_LT(worst_search_estimate(4000, 8, 500, 0.1, 0.6, two_kinds), 1.3);
}

// An image alone, and in batches of other sizes, in another order and on other numbers of threads: the same bits, for
// every instruction set that this machine has. Widths that fill no register and widths that do.
TEST(Search, SameBitsInAnyCompany) {
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (isa > machine_isa()) continue;
    for (const auto& [side, maps, loss] :
         {std::tuple{16, 32, Loss::kLogistic}, {16, 32, Loss::kWganGp}, {8, 9, Loss::kLogistic}}) {
      SCOPED_TRACE(str(isa_name(isa), ", side ", side, ", ", maps, " maps"));
      const auto search = [&, side = side, maps = maps, loss = loss](int threads, const std::vector<int>& images) {
        Rig rig(side, loss, threads, isa, maps);
        rig.scoring.steps = 30;
        return rig.search(images);
      };
      const auto alone = search(1, {3});
      for (const int threads : {1, 2, 3})
        for (const int batch : {1, 2, 7, 16, 64}) {
          if (batch > 16 && threads != 2) continue;
          std::vector<int> images;  // 3 at another place each time
          for (int i = 0; i < batch; ++i) images.push_back(3 + batch / 2 - i);
          const auto found = search(threads, images);
          const auto place = static_cast<std::size_t>(batch / 2);
          SCOPED_TRACE(str("batch ", batch, ", ", threads, " threads"));
          expect_equal(found.scores[place], alone.scores[0]);
          EXPECT_TRUE(std::equal(alone.z.begin(), alone.z.end(),
                                 found.z.begin() + static_cast<std::ptrdiff_t>(place * alone.z.size())));
        }
    }
  }
}

// A row of a product does not depend on how many there are: what registers hold is another matter in each case.
TEST(Search, SameBitsOfAProductsRowInAnyBatch) {
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (isa > machine_isa()) continue;
    Exec exec(Device{}, 1, Implementation::kFastest, Precision::kFp32, isa);
    for (const bool transposed : {false, true})
      for (const std::int64_t n : {1, 9, 32, 80})
        for (const std::int64_t k : {3, 32, 600}) {
          constexpr std::int64_t kRows = 26;
          Rng rng(1, static_cast<std::uint64_t>(n * k));
          std::vector<float> a(kRows * k), b(n * k), all(kRows * n), alone(n), some(kRows * n);
          for (auto* v : {&a, &b})
            for (float& x : *v) x = static_cast<float>(2 * rng.uniform() - 1);
          const auto product = [&](std::int64_t first, std::int64_t rows, std::vector<float>& c) {
            run(kMatmul, exec,
                MatmulArgs<float>{rows, n, k, false, transposed, 0.3f, a.data() + first * k, b.data(), c.data()});
          };
          product(0, kRows, all);
          for (std::int64_t row = 0; row < kRows; ++row) {
            product(row, 1, alone);
            ASSERT_TRUE(std::equal(alone.begin(), alone.end(), all.begin() + row * n))
                << isa_name(isa) << " " << n << " " << k << " row " << row;
          }
          for (std::int64_t rows = 2; rows < kRows; ++rows) {
            product(0, rows, some);
            ASSERT_TRUE(std::equal(some.begin(), some.begin() + rows * n, all.begin()))
                << isa_name(isa) << " " << n << " " << k << ", " << rows << " rows";
          }
        }
  }
}

TEST(Search, TheSameRunTwiceGivesTheSameBits) {
  Rig rig;
  EXPECT_EQ(rig.search({0, 1, 2}).z, rig.search({0, 1, 2}).z);
  Rig other;
  EXPECT_EQ(rig.search({0, 1, 2}).z, other.search({0, 1, 2}).z);
}

TEST(Search, ScoresAreTheFormulas) {
  for (const Reduction reduction : {Reduction::kMean, Reduction::kSum}) {
    Rig rig(8);
    rig.scoring.reduction = reduction;
    rig.scoring.lambda = 0.3;
    rig.scoring.gamma = 0.4;
    LatentSearch s(rig.exec, rig.model(), rig.scoring, 2);
    Rng rng(1, 1);
    std::vector<float> images, latents;
    for (int i = 0; i < 2; ++i)
      for (float& v : s.image(i)) images.push_back(v = static_cast<float>(2 * rng.uniform() - 1));
    s.run();
    for (int i = 0; i < 2; ++i)
      for (const float v : s.best_latent(i)) latents.push_back(v);
    const HistoryScope off(false);
    const Var stddev(rig.exec, rig.exec.from<float>(std::vector<float>{0.3f}, {1}));
    const Var x(rig.exec, rig.exec.from<float>(images, {2, 8, 8, 1}));
    const Var z(rig.exec, rig.exec.from<float>(latents, {2, rig.network.latent()}));
    const Var image = rig.g->forward(z, {3, {}});
    const auto on_x = rig.d->forward(x, {3, {}}, stddev), on_g = rig.d->forward(image, {3, {}}, stddev);
    const auto distance = [&](const Var& a, const Var& b, std::size_t n) {
      const std::size_t size = static_cast<std::size_t>(a.value().numel()) / 2;
      double sum = 0;
      for (std::size_t i = 0; i < size; ++i)
        sum += std::fabs(a.value().data<float>()[n * size + i] - b.value().data<float>()[n * size + i]);
      return reduction == Reduction::kMean ? sum / static_cast<double>(size) : sum;
    };
    const auto one_minus_sigmoid = [](double v) { return 1 / (1 + std::exp(v)); };
    for (std::size_t n = 0; n < 2; ++n) {
      const SearchScores got = s.scores(static_cast<int>(n));
      const double residual = distance(x, image, n), feature = distance(on_x.features, on_g.features, n);
      const double latent_critic = one_minus_sigmoid(on_g.score.value().data<float>()[n]);
      EXPECT_NEAR(got.residual, residual, 1e-4 * residual);
      EXPECT_NEAR(got.feature, feature, 1e-4 * feature);
      EXPECT_NEAR(got.latent_critic, latent_critic, 1e-5);
      EXPECT_NEAR(got.critic, one_minus_sigmoid(on_x.score.value().data<float>()[n]), 1e-5);
      const double paper = 0.4 * (0.7 * residual + 0.3 * feature) + 0.6 * latent_critic;
      EXPECT_NEAR(got.paper, paper, 1e-4 * paper);
    }
  }
}

// What it is for: an image that G drew is found again better than noise, and more steps or restarts never make it
// worse.
TEST(Search, FindsWhatTheGeneratorDrew) {
  Rig rig(8);
  rig.scoring.gamma = 1;
  rig.scoring.steps = 300;
  const HistoryScope on(true);
  const Tensor z = rig.exec.empty({4, rig.network.latent()});
  Rng rng(9, 9);
  for (float& v : z.span<float>()) v = static_cast<float>(2 * rng.uniform() - 1);
  const Var drawn = rig.g->forward(Var(rig.exec, z), {3, {}});
  const auto residual = [&](bool own, int steps, int restarts) {
    rig.scoring.steps = steps;
    rig.scoring.restarts = restarts;
    LatentSearch s(rig.exec, rig.model(), rig.scoring, 4);
    Rng noise(3, 3);
    for (int n = 0; n < 4; ++n)
      for (std::size_t i = 0; i < s.image(n).size(); ++i)
        s.image(n)[i] = own ? drawn.value().data<float>()[static_cast<std::size_t>(n) * s.image(n).size() + i]
                            : static_cast<float>(noise.normal());
    s.run();
    double sum = 0;
    for (int n = 0; n < 4; ++n) sum += s.scores(n).paper;
    return sum / 4;
  };
  const double own = residual(true, 300, 4), noise = residual(false, 300, 4);
  EXPECT_LT(own, 0.25 * noise);
  EXPECT_LT(own, residual(true, 5, 1));
  EXPECT_LE(residual(true, 100, 3), residual(true, 100, 1));
}

TEST(Search, LatentsStayOnTheSphereAndStepsAllocateNothing) {
  Rig rig;
  LatentSearch s(rig.exec, rig.model(), rig.scoring, 3);
  const int slots[] = {0, 1, 2};
  for (const int i : slots) Rig::draw(i, s.image(i));
  s.begin(slots);
  s.step();
  const auto before = rig.exec.memory().requests;
  for (int i = 2; i < 20; ++i) s.step();
  EXPECT_EQ(rig.exec.memory().requests, before);
  for (int n = 0; n < 3; ++n) {
    double square = 0;
    for (int i = 0; i < 32; ++i) square += std::pow(s.best_latent(n)[static_cast<std::size_t>(i)], 2);
    EXPECT_NEAR(square, 32, 1e-3);
  }
}

TEST(Search, KeepsTheBestAndIgnoresWhatIsNotFinite) {
  Exec exec;
  const auto t = [&](std::vector<float> v, Shape shape) { return exec.from<float>(v, shape); };
  const Tensor z = t({1, 1, 1, -1}, {2, 2}), g = t({1, 0, std::nanf(""), 0}, {2, 2}), m = exec.zeros({2, 2}),
               v = exec.zeros({2, 2}), loss = t({2, std::nanf("")}, {2}), best_loss = t({3, 3}, {2}),
               best_z = exec.zeros({2, 2}), rate = t({0.5f, 10, 1000, 1, 0.5f, 10, 1000, 1}, {2, 4}),
               now = t({1, 2, 3, 4}, {2, 2}), best = exec.zeros({2, 2});
  const auto step = [&] {
    run(kLatentStep, exec,
        LatentStepArgs<float>{2,
                              2,
                              z.data<float>(),
                              g.data<float>(),
                              m.data<float>(),
                              v.data<float>(),
                              loss.data<float>(),
                              best_loss.data<float>(),
                              best_z.data<float>(),
                              rate.data<float>(),
                              .9f,
                              .999f,
                              1e-8f,
                              {{{2, now.data<float>(), best.data<float>()}}}});
  };
  step();
  EXPECT_EQ(best_loss.data<float>()[0], 2);
  EXPECT_EQ(best_z.data<float>()[0], 1);
  EXPECT_EQ(best.data<float>()[1], 2);  // what belongs to z is kept with it
  EXPECT_EQ(best.data<float>()[2], 0);
  EXPECT_EQ(best_loss.data<float>()[1], 3);  // NaN is not better
  EXPECT_EQ(z.data<float>()[2], 1);          // and moves nothing
  EXPECT_LT(z.data<float>()[0], z.data<float>()[1]);

  // An image whose search is over: a better loss changes nothing.
  const std::vector<Tensor> all = {z, m, v, best_loss, best_z, best};
  std::vector<std::vector<float>> before;
  for (const Tensor& a : all) before.push_back(exec.read<float>(a));
  rate.data<float>()[3] = rate.data<float>()[7] = 0;
  loss.data<float>()[0] = loss.data<float>()[1] = 1;
  step();
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(exec.read<float>(all[i]), before[i]) << i;
}

// What a search has found stays when it has ended, whatever its neighbours still do.
TEST(Search, AnEndedSlotIsFrozen) {
  Rig rig;
  rig.scoring.steps = 200;
  rig.scoring.patience = 1;
  LatentSearch s(rig.exec, rig.model(), rig.scoring, 7);
  for (int i = 0; i < 7; ++i) Rig::draw(i, s.image(i));
  std::vector<SearchScores> scores(7);
  std::vector<std::vector<float>> latents(7), images(7);
  std::vector<int> all = {0, 1, 2, 3, 4, 5, 6};
  s.begin(all);
  int frozen_steps = 0;
  while (s.active() > 0) {
    frozen_steps += 7 - s.active();
    for (const int slot : s.step()) {
      const auto i = static_cast<std::size_t>(slot);
      scores[i] = s.scores(slot);
      latents[i] = s.best_latent(slot);
      images[i] = s.reconstruction(slot);
    }
  }
  EXPECT_GT(frozen_steps, 10);
  for (int slot = 0; slot < 7; ++slot) {
    const auto i = static_cast<std::size_t>(slot);
    expect_equal(s.scores(slot), scores[i]);
    EXPECT_EQ(s.best_latent(slot), latents[i]) << slot;
    EXPECT_EQ(s.reconstruction(slot), images[i]) << slot;
  }
}

// Evaluations alone take a step without a gradient; beside a search they take the search's.
TEST(Search, EvaluationsAreTheSameAloneAndBesideASearch) {
  for (const Loss loss : {Loss::kLogistic, Loss::kWganGp}) {
    Rig rig(16, loss);
    rig.scoring.steps = 3;
    LatentSearch alone(rig.exec, rig.model(), rig.scoring, 3), beside(rig.exec, rig.model(), rig.scoring, 3);
    const std::vector<int> all = {0, 1, 2};
    for (LatentSearch* s : {&alone, &beside})
      for (const int i : all) Rig::draw(i, s->image(i));
    alone.begin(all, {1, 1, 1});
    EXPECT_EQ(alone.step().size(), 3u);
    beside.begin(all, {1, 1, 0});
    EXPECT_EQ(beside.step().size(), 2u);
    while (beside.active() > 0) beside.step();
    for (const int slot : {0, 1}) {
      expect_equal(alone.scores(slot), beside.scores(slot));
      EXPECT_EQ(alone.best_latent(slot), beside.best_latent(slot));
      EXPECT_EQ(alone.reconstruction(slot), beside.reconstruction(slot));
      EXPECT_EQ(alone.steps_taken(slot), 1);
    }
    EXPECT_NE(alone.best_latent(2), beside.best_latent(2));
    const StepGraph& without = *alone.graph();
    const StepGraph& with = *beside.graph();
    EXPECT_LT(without.size(), with.size());
    // A search afterwards is what it would have been.
    alone.begin(all);
    while (alone.active() > 0) alone.step();
    expect_equal(alone.scores(2), beside.scores(2));
    EXPECT_EQ(alone.best_latent(2), beside.best_latent(2));
  }
}

// A restart begins far from what earlier ones have found: it is done when it no longer gets better itself.
TEST(Search, EachRestartIsJudgedByItself) {
  Rig rig;
  rig.scoring.steps = 200;
  rig.scoring.patience = 5;
  struct Searched {
    int steps;
    float paper;
  };
  const auto search = [&](int restarts, int image) {
    rig.scoring.restarts = restarts;
    LatentSearch s(rig.exec, rig.model(), rig.scoring, 1);
    Rig::draw(image, s.image(0));
    s.run();
    return Searched{s.steps_taken(0), s.scores(0).paper};
  };
  for (int image = 0; image < 4; ++image) {
    const Searched one = search(1, image), four = search(4, image);
    EXPECT_LT(one.steps, 201) << "did not converge";
    EXPECT_GT(four.steps - one.steps, 3 * 4 * rig.scoring.patience) << image;
    EXPECT_LE(four.paper, one.paper) << image;
  }
}

// Seven images through two slots, each replaced as soon as it has converged, and each alone.
TEST(Search, RefillingChangesNoResult) {
  Rig rig;
  rig.scoring.steps = 60;
  rig.scoring.patience = 4;
  rig.scoring.restarts = 2;
  std::vector<SearchScores> refilled(7);
  std::vector<int> steps(7), image_of(2);
  LatentSearch s(rig.exec, rig.model(), rig.scoring, 2);
  int next = 0, replaced_while_other_searched = 0;
  const auto put = [&](int slot) {
    Rig::draw(next, s.image(slot));
    image_of[static_cast<std::size_t>(slot)] = next++;
    const int one[] = {slot};
    s.begin(one);
  };
  put(0);
  put(1);
  while (s.active() > 0) {
    const auto ended = s.step();
    for (const int slot : std::vector<int>(ended.begin(), ended.end())) {
      const auto image = static_cast<std::size_t>(image_of[static_cast<std::size_t>(slot)]);
      refilled[image] = s.scores(slot);
      steps[image] = s.steps_taken(slot);
      if (next == 7) continue;
      replaced_while_other_searched += s.active() == 1;
      put(slot);
    }
  }
  EXPECT_GT(replaced_while_other_searched, 0);
  for (int i = 0; i < 7; ++i) {
    LatentSearch alone(rig.exec, rig.model(), rig.scoring, 1);
    Rig::draw(i, alone.image(0));
    alone.run();
    expect_equal(refilled[static_cast<std::size_t>(i)], alone.scores(0));
    EXPECT_EQ(steps[static_cast<std::size_t>(i)], alone.steps_taken(0)) << i;
    EXPECT_LT(alone.steps_taken(0), 2 * 61) << "none converged early";
  }
}

// Restarts of a search from the encoder are random ones, with their patience: by default they take all their steps.
TEST(Search, RestartsBehindAnEncoderTakeAllTheirSteps) {
  Rig rig;
  const auto encoder = make_encoder(rig.exec, rig.network, 4, 3);
  SearchModel model = rig.model();
  model.encoder = encoder.get();
  const auto steps = [&](int restarts) {
    rig.scoring.restarts = restarts;
    LatentSearch s(rig.exec, model, rig.scoring, 1);
    Rig::draw(1, s.image(0));
    s.run();
    return s.steps_taken(0);
  };
  EXPECT_EQ(steps(3), steps(1) + 2 * (rig.scoring.steps + 1));
  rig.scoring.steps = -1;
  EXPECT_EQ(steps(1), 11);
  EXPECT_EQ(steps(2), 11 + 501);
}

TEST(Search, GivenUpSearchesAreOver) {
  Rig rig;
  LatentSearch s(rig.exec, rig.model(), rig.scoring, 2);
  for (int i = 0; i < 2; ++i) Rig::draw(i, s.image(i));
  const int both[] = {0, 1}, second[] = {1};
  s.begin(both);
  s.step();
  s.abandon();
  EXPECT_EQ(s.active(), 0);
  s.begin(second);
  EXPECT_EQ(s.active(), 1);
  std::vector<int> ended;
  while (s.active() > 0)
    for (const int slot : s.step()) ended.push_back(slot);
  EXPECT_EQ(ended, std::vector<int>{1});
}

// The encoder's z is the first start: after one evaluation at learning rate 0 it is the best so far.
TEST(Search, BeginsAtTheEncodersLatent) {
  Rig rig;
  const auto encoder = make_encoder(rig.exec, rig.network, 4, 3);
  SearchModel model = rig.model();
  model.encoder = encoder.get();
  EXPECT_EQ(search_steps(ScoringConfig(), true), 10);
  EXPECT_EQ(search_steps(ScoringConfig(), false), 500);
  EXPECT_EQ(search_steps(rig.scoring, true), 40);  // as given
  EXPECT_EQ(search_steps(rig.scoring, false), 40);
  EXPECT_EQ(search_patience(rig.scoring, true), 10);
  EXPECT_EQ(search_patience(rig.scoring, false), 0);
  const auto first_best = [&](Start start) {
    rig.scoring.start = start;
    LatentSearch s(rig.exec, model, rig.scoring, 1);
    Rig::draw(1, s.image(0));
    const int slot[] = {0};
    s.begin(slot);
    s.step();
    return s.best_latent(0);
  };
  std::vector<float> image(16 * 16);
  Rig::draw(1, image);
  const HistoryScope off(false);
  const Var z = encoder->forward(Var(rig.exec, rig.exec.from<float>(image, {1, 16, 16, 1})));
  const auto encoded = first_best(Start::kAuto);
  double square = 0;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    EXPECT_NEAR(encoded[i], z.value().data<float>()[i], 1e-6);
    square += std::pow(encoded[i], 2);
  }
  EXPECT_NEAR(square, static_cast<double>(rig.network.latent()), 1e-2);
  EXPECT_NE(encoded, first_best(Start::kRandom));
}

}  // namespace
}  // namespace pgad::test
