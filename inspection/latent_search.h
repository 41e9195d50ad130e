#pragma once
// The search for the latent whose image is nearest to a query (Algorithm 1 of Kimura & Yanagihara): n images at once,
// each on its own. The step is recorded once and replayed, as is one without a gradient for evaluations alone; the
// networks' weights are constants in them.
//
// The batch is a row of slots. Each slot's search has its own start, step count, moments and end, so that an image
// which has converged makes room for the next one while its neighbours go on, and none of that changes any result.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/mirror.h"
#include "engine/step_graph.h"
#include "layers/adam.h"
#include "layers/network.h"
#include "model/config.h"

namespace pgad {

// What a search needs of a model.
struct SearchModel {
  const Generator* g;
  const Discriminator* d;
  NetworkConfig network;
  Loss loss = Loss::kLogistic;
  int level = 5;                     // log2 of the size the networks run at
  double alpha = 1;                  // weight of that size's path: below 1 where training ended in a fade
  double stddev = 0;                 // minibatch-stddev's constant
  double normal_critic = 0;          // wgan-gp: mean of D over held-out normals
  const Encoder* encoder = nullptr;  // gives the first start; null: random starts only
  bool feature_maps = false;         // whether feature_differences() will be asked for
};

// |f_l(x) - f_l(G(z))| of one image at one of D's sizes, [side, side, maps].
struct FeatureDifferences {
  int side = 0, maps = 0;
  std::vector<float> values;
};
// Of each of n images: query, drawn [n, side, side, maps].
std::vector<FeatureDifferences> feature_differences(Exec& exec, const Tensor& query, const Tensor& drawn);

// Steps without improvement after which a search (of several: this restart) ends; 0: never. Where scoring.patience is
// -1: 10 from an encoder's start, 0 from a random one (measured: docs/performance.md).
int search_patience(const ScoringConfig& scoring, bool from_encoder);

// Per image. Formulas: eq 2, 3, 24, 25 with the reduction of the configuration.
struct SearchScores {
  float residual;       // L_R = sum or mean |x - G(z)|
  float feature;        // L_D = sum or mean |f(x) - f(G(z))|
  float latent_critic;  // L'_An = |1 - sigmoid D(G(z))|, or |D(G(z)) - mean D of normals|
  float paper;          // L' = gamma ((1 - lambda) L_R + lambda L_D) + (1 - gamma) L'_An
  float critic;         // of the query itself: 1 - sigmoid D(x), or |D(x) - mean D of normals|
};

// Steps that a search (of several: this restart) may take. Where scoring.steps is -1: 10 from an encoder's start, 500
// from a random one, the paper's number (measured: docs/results.md).
int search_steps(const ScoringConfig& scoring, bool from_encoder);

class LatentSearch {
 public:
  // batch: the number of slots.
  LatentSearch(Exec& exec, const SearchModel& model, const ScoringConfig& scoring, int batch);

  int batch() const { return batch_; }
  // Query of a slot, written by the host before begin(): [R, R, channels] at full resolution, NHWC in [-1,1].
  std::span<float> image(int slot) const;
  // Starts these slots' searches from points that depend on (seed, image content, restart) and the encoder alone.
  // evaluate_only: of these, which are not searched but evaluated where they start; empty: none.
  void begin(std::span<const int> slots, const std::vector<char>& evaluate_only = {});
  // One step of all slots. Returns those whose search has just ended, valid until the next call.
  std::span<const int> step();
  // Ends all searches under way, or this slot's, without a result.
  void abandon();
  void abandon(int slot);
  double most_steps() const { return planned(scoring_.restarts); }  // of an image
  int active() const { return active_; }                            // slots that still search
  double progress(int slot) const;                                  // share of its search that is done, in [0, 1]
  int steps_taken(int slot) const { return slots_[static_cast<std::size_t>(slot)].taken; }

  // begin() for all slots and steps until all have ended. on_step is called before each step (may throw to stop).
  void run(const std::function<void()>& on_step = {});

  // Of a slot's best z, valid until begin() takes the slot up again.
  SearchScores scores(int slot) const;
  std::vector<float> best_latent(int slot) const;  // [d]
  // The query as the networks see it (brought to the size s = 2^level they run at), and G(best z): [s, s, channels].
  std::vector<float> query(int slot) const;
  std::vector<float> reconstruction(int slot) const;
  // D(x) of the query; valid after begin().
  float query_score(int slot) const { return at(query_score_.value(), slot); }

  // Of these slots, which step() has just reported and which were only evaluated: by slot, by size, the largest first.
  // Of others the last z need not be the best.
  std::vector<std::vector<FeatureDifferences>> feature_differences(std::span<const int> slots) const;
  bool only_evaluated(int slot) const { return slots_[static_cast<std::size_t>(slot)].evaluation; }

  // The recorded step, or the one without a gradient if no other was taken; null before the first.
  StepGraph* graph() { return step_graph_ ? &*step_graph_ : evaluation_graph_ ? &*evaluation_graph_ : nullptr; }

 private:
  struct Slot {
    bool searching = false;
    bool evaluation = false;      // takes no step
    int steps = 0, restarts = 1;  // that the current restart, and the search, may take
    int restart = 0, step = 0;    // of the current restart
    int taken = 0;                // steps of all restarts
    // Of the current restart, which is judged by itself: earlier ones may have come closer from elsewhere.
    int idle = 0;      // steps since its best loss fell noticeably
    float record = 0;  // that loss then
  };
  struct Terms {
    Tensor image, residual, feature, latent_critic, paper;  // [n,...], [n] each
    Tensor gradient;                                        // of paper in z, [n, d]; zeros where z needs none
    std::vector<Tensor> maps;                               // what D sees of the image at each size, if asked for
  };
  Terms terms(const Var& z) const;
  void take_step(bool moves);  // records it; moves: with the gradient
  Var critic(const Var& score) const;
  struct Distance {
    Tensor loss, gradient;  // [n], x's shape
  };
  Distance distance(const Var& x, const Tensor& y, double weight) const;
  float at(const Tensor& t, int slot) const { return exec_.read<float>(t, slot, 1)[0]; }
  std::vector<float> row(const Tensor& t, int slot) const;  // of [batch, ...]
  void compute_queries();
  void start(int slot, int restart);
  void set_rate(int slot);
  bool from_encoder(int restart) const { return restart == 0 && model_.encoder != nullptr; }
  int patience(const Slot& s) const { return search_patience(scoring_, from_encoder(s.restart)); }
  double planned(int restarts) const;  // evaluations of so many restarts, at most
  bool advance(int slot);              // after a step; false if the search has ended

  Exec& exec_;
  SearchModel model_;
  ScoringConfig scoring_;
  int batch_, active_ = 0;
  AdamConfig adam_;
  Mirror images_, rate_;
  Var queries_, query_features_, query_score_, query_critic_;     // at the networks' size; f(x); D(x) raw and judged
  Var encoded_;                                                   // the encoder's z, where there is one
  Tensor loss_;                                                   // of the last step, [n]
  std::vector<Tensor> query_maps_, step_maps_, evaluation_maps_;  // D's, by size; empty if not asked for
  const std::vector<Tensor>* last_maps_ = nullptr;                // of the last step
  Tensor z_, m_, v_, best_z_, best_loss_, best_residual_, best_feature_, best_latent_critic_, best_image_, no_gradient_;
  Stage stage_;
  Var stddev_;
  std::vector<Slot> slots_;
  std::vector<float> losses_;  // loss_ on the host, where a search has patience
  std::vector<int> ended_;
  PreparedWeights prepared_{/*constant=*/true};
  std::optional<StepGraph> query_graph_, step_graph_, evaluation_graph_;
};

}  // namespace pgad
