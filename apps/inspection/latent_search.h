#pragma once
// The search for the latent whose image is nearest to a query (Algorithm 1 of Kimura & Yanagihara): n images at once,
// each on its own. The step is recorded once and replayed; the networks' weights are constants in it.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "apps/config/config.h"
#include "engine/step_graph.h"
#include "layers/adam.h"
#include "layers/discriminator.h"
#include "layers/generator.h"

namespace pgad {

// What a search needs of a model.
struct SearchModel {
  const Generator* g;
  const Discriminator* d;
  NetworkConfig network;
  Loss loss = Loss::kLogistic;
  int level = 5;              // log2 of the size the networks run at
  double old_weight = 0;      // of the previous size, where training ended in the middle of a fade
  double statistic = 0;       // minibatch-stddev's constant
  double normal_critic = 0;   // wgan-gp: mean of D over held-out normals
};

// Per image. Formulas: eq 2, 3, 24, 25 with the reduction of the configuration.
struct SearchScores {
  float residual;       // L_R = sum or mean |x - G(z)|
  float feature;        // L_D = sum or mean |f(x) - f(G(z))|
  float latent_critic;  // L'_An = |1 - sigmoid D(G(z))|, or |D(G(z)) - mean D of normals|
  float paper;          // L' = gamma ((1 - lambda) L_R + lambda L_D) + (1 - gamma) L'_An
  float critic;         // of the query itself: 1 - sigmoid D(x), or |D(x) - mean D of normals|
};

class LatentSearch {
 public:
  LatentSearch(Exec& exec, const SearchModel& model, const ScoringConfig& scoring, int batch);

  int batch() const { return batch_; }
  // Queries, written by the host: [batch, R, R, channels] at full resolution, NHWC in [-1,1].
  std::span<float> images() const { return images_.span<float>(); }

  // Searches from starts that depend on (seed, image content, restart) alone. `on_step` is called before each step
  // (progress; may throw to stop).
  void run(const std::function<void(int step)>& on_step = {});
  // Scores, latents and reconstructions of the best z of each image; valid until the next run.
  std::vector<SearchScores> scores() const;
  std::span<const float> best_latents() const { return best_z_.span<float>(); }       // [batch, d]
  // Queries as the networks see them (brought to the size s = 2^level they run at), and G(best z): [batch, s, s, channels].
  std::span<const float> queries() const { return queries_.value().span<float>(); }
  std::span<const float> reconstructions() const { return best_.image.value().span<float>(); }

  // The recorded step; valid after the first.
  StepGraph& graph() { return *step_graph_; }

  // D(x) of each query; valid after prepare().
  std::span<const float> query_scores() const { return query_score_.value().span<float>(); }

  // The parts of run(): features of the queries, fresh starts, one step (numbered from 1), scores of the best.
  void prepare();
  void start(int restart);
  void step(double lr, int number);
  void finish();

 private:
  struct Terms {
    Var image, residual, feature, latent_critic, paper;  // [n,...], [n] each
  };
  Terms terms(const Var& z) const;
  Var critic(const Var& score) const;
  Var reduce(const Var& distances) const;

  Exec& exec_;
  SearchModel model_;
  ScoringConfig scoring_;
  int batch_;
  AdamConfig adam_;
  Tensor images_;
  Var queries_, query_features_, query_score_, query_critic_;  // at the networks' size; f(x); D(x) raw and judged
  Tensor z_, m_, v_, rate_, best_z_, best_loss_;
  Var old_weight_, statistic_;
  Terms best_;
  PreparedWeights prepared_{/*constant=*/true};
  std::optional<StepGraph> query_graph_, step_graph_, score_graph_;
};

}  // namespace pgad
