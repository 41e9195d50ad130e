// Scores of a fixed model on fixed images, as they were when tests/golden/scores was made: a change of the code that
// changes an answer is noticed, also where every other test would find the new answer as good as the old one. And model
// files of then can still be read.
//
// Model: pgad_train --data data/mnist-subset --normal-class 8 --resolution 16 --fmap-max 8 --latent-size 8
//          --total-kimg 12 --fade-kimg 2 --stable-kimg 2 --encoder --encoder-kimg 4 --steps 30 --calibration-images 100
//          --threads 1                                                   (x86-64 with AVX-512, Debian 12)
//
// By default scores are compared with those of SSE2 to kTolerance: instruction sets order their sums differently, and
// exp, log, cos and pow come from the C library, whose last bits differ between versions. With PGAD_GOLDEN_EXACT=1 they
// must have the bits recorded for their own instruction set, which Debian 12's GCC 12 and glibc 2.36 produced.
//
// Where an answer is meant to change: PGAD_GOLDEN_WRITE=FILE writes the scores of now for every instruction set that
// the machine has; the commit that replaces scores.json says why.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/isa.h"
#include "images/idx.h"
#include "inspection/calibration.h"
#include "inspection/scorer.h"
#include "tests/golden_files.h"

namespace pgad::test {
namespace {

// Largest difference, as a share of the largest magnitude of that score over the images: a tenth of the smallest change
// that must be noticed. Instruction sets differ by up to 1e-5 in a score, and 4e-5 in the map, which divides by the
// small spread of pixels that hardly vary.
constexpr double kTolerance = 1e-4;

const std::string kImages = std::string(PGAD_SOURCE_DIR) + "/data/mnist-subset/train-images-idx3-ubyte.gz";
constexpr long kFirst = 40, kCount = 12;  // places of the images in that file: half of them 8s

// The ways into the search: from the encoder, with an early stop, and from latents drawn at random. Few steps, because
// a search amplifies the last bits: after thirty, instruction sets are a hundredth apart.
const std::vector<std::string> kWays = {"encoder", "random"};

ScoringConfig scoring_for(const Model& model, const std::string& way) {
  ScoringConfig scoring = model.config.scoring;
  scoring.batch = 5;  // fewer than there are images: slots are refilled
  scoring.steps = 6;
  scoring.patience = 2;
  if (way == "random") {
    scoring.start = Start::kRandom;
    scoring.patience = 0;
    scoring.restarts = 2;
  }
  return scoring;
}

// One row for each image: the terms, `combined`, the number of steps, and the sum of the calibrated map's magnitudes.
using Rows = std::vector<std::vector<double>>;
const std::vector<std::string> kColumns = {"residual", "feature",  "latent_critic", "paper",
                                           "critic",   "combined", "steps",         "map"};

Rows scores(Isa isa, int threads, const std::string& way) {
  Exec exec(Device{}, threads, Implementation::kFastest, Precision::kFp32, isa);
  const Model model = load_model(exec, golden_file("scores/model.safetensors"));
  const ScoringConfig scoring = scoring_for(model, way);
  ImageSource source;
  source.options = decode_options(model.preprocessing, model.config.data);
  std::vector<Sample> samples;
  for (long i = kFirst; i < kFirst + kCount; ++i) samples.push_back({str(i), kImages, i, "", false, ""});
  Rows rows;
  Scorer(exec, model, scoring).score(samples, source, [&](const ScoredImage& image) {
    EXPECT_EQ(image.error, "");
    std::vector<double> row(image.terms, image.terms + kSearchTerms);
    row.push_back(combined_score(*model.calibration, image.terms));
    row.push_back(image.steps);
    double sum = 0;
    for (const float v :
         calibrated_map(*model.calibration, image.residual_map, image.rows, image.columns, scoring.map_sigma))
      sum += std::fabs(v);
    row.push_back(sum);
    rows.push_back(std::move(row));
  });
  return rows;
}

std::vector<Isa> machine_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512})
    if (isa <= machine_isa()) isas.push_back(isa);
  return isas;
}

nlohmann::json golden() {
  std::ifstream file(golden_file("scores/scores.json"));
  return nlohmann::json::parse(file);
}

bool wanted(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

TEST(ScoresGolden, AsTheyWere) {
  const nlohmann::json recorded = golden();
  for (const std::string& way : kWays) {
    const Rows before = recorded.at("sse2").at(way).get<Rows>();
    for (const Isa isa : machine_isas()) {
      const Rows now = scores(isa, 1, way);
      ASSERT_EQ(now.size(), before.size());
      for (std::size_t c = 0; c < kColumns.size(); ++c) {
        double scale = 0;
        for (const std::vector<double>& row : before) scale = std::max(scale, std::fabs(row[c]));
        for (std::size_t i = 0; i < now.size(); ++i)
          EXPECT_NEAR(now[i][c], before[i][c], kTolerance * scale)
              << way << ", " << isa_name(isa) << ", " << kColumns[c] << " of image " << i;
      }
    }
  }
}

TEST(ScoresGolden, SameBits) {
  if (!wanted("PGAD_GOLDEN_EXACT")) GTEST_SKIP() << "only with PGAD_GOLDEN_EXACT=1: bits depend on the C library";
  const nlohmann::json recorded = golden();
  if (!recorded.contains(isa_name(Isa::kBaseline))) GTEST_SKIP() << "recorded on x86-64 only";
  for (const std::string& way : kWays)
    for (const Isa isa : machine_isas())
      for (const int threads : {1, 2})
        EXPECT_EQ(scores(isa, threads, way), recorded.at(isa_name(isa)).at(way).get<Rows>())
            << way << ", " << isa_name(isa) << ", " << threads << " threads";
}

TEST(ScoresGolden, Write) {
  if (!wanted("PGAD_GOLDEN_WRITE")) GTEST_SKIP() << "only with PGAD_GOLDEN_WRITE=FILE";
  nlohmann::ordered_json file = {{"columns", kColumns}};
  for (const Isa isa : machine_isas())
    for (const std::string& way : kWays) file[isa_name(isa)][way] = scores(isa, 1, way);
  std::ofstream(std::getenv("PGAD_GOLDEN_WRITE")) << file.dump(1) << "\n";
}

}  // namespace
}  // namespace pgad::test
