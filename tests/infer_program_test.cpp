// pgad_infer: what it writes and refuses, damaged models and images, scores, maps, evaluation.

#include "images/dataset.h"
#include "model/model.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

TEST(InferProgram, RefusesWrongUsage) {
  const TempDir dir;
  const Words score = {"score", "--model", shared().model, "--input", shared().data, "--out", dir / "out"};
  EXPECT_TRUE(refused(infer({}), 2, {"subcommand"}));
  EXPECT_TRUE(refused(infer({"guess"}), 2, {"subcommand"}));
  EXPECT_TRUE(refused(infer({"score"}), 2, {"--model"}));
  EXPECT_TRUE(refused(infer(score + Words{"--gamma", "0"}), 2, {"--gamma", "(0, 1]"}));
  EXPECT_TRUE(refused(infer(score + Words{"--steps", "0"}), 2, {"--steps", ">= 1"}));
  EXPECT_TRUE(refused(infer(score + Words{"--batch", "0"}), 2, {"--batch", "[1, 4096]"}));
  EXPECT_TRUE(refused(infer(score + Words{"--wish", "1"}), 2, {"--wish"}));
  EXPECT_TRUE(
      refused(infer({"generate", "--model", shared().model, "--out", dir / "out", "--count", "0"}), 2, {"--count"}));
  EXPECT_TRUE(ended(infer({"--help"}), 0, {"score", "evaluate", "generate", "info"}));
  EXPECT_TRUE(ended(infer({"score", "--help"}), 0, {"--steps INT", "the model's"}));
  EXPECT_FALSE(fs::exists(dir / "out"));
}

TEST(InferProgram, SaysAsMuchAsItIsAsked) {
  const TempDir dir;
  write_digits(dir / "in", 3);
  const Words score = {"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--out"};
  const ProcessResult quiet = infer(score + Words{dir / "quiet", "--quiet"});
  ASSERT_TRUE(ended(quiet, 0));
  EXPECT_EQ(quiet.err + quiet.out, "");
  EXPECT_TRUE(fs::exists(dir / "quiet/scores.csv"));
  write_file_atomically(dir / "in/bad.png", "text");
  const ProcessResult warned = infer(Words{"--quiet"} + score + Words{dir / "warned"});  // before the subcommand too
  EXPECT_TRUE(ended(warned, 1, {"not scored: ", "bad.png"}));
  EXPECT_EQ(lines_of(warned.err).size(), 1u) << warned.err;
  const ProcessResult verbose = infer(score + Words{dir / "verbose", "--verbose"});
  EXPECT_TRUE(ended(verbose, 1, {"scoring: ", "3 images scored"}));
  for (const std::string& line : lines_of(verbose.err))
    EXPECT_TRUE(line.size() > 9 && line[2] == ':' && line[5] == ':' && line[8] == ' ') << line;
  EXPECT_TRUE(refused(infer(score + Words{dir / "x", "--quiet", "--verbose"}), 2, {"--quiet", "--verbose"}));
  EXPECT_FALSE(fs::exists(dir / "x"));
}

TEST(InferProgram, TellsOtherProgramsWhatItFound) {
  const TempDir dir;
  write_digits(dir / "in", 6);
  const Words score = {"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--quiet", "--out"};
  const ProcessResult r = infer(score + Words{dir / "out", "--json-lines"});
  ASSERT_TRUE(ended(r, 0));
  const auto rows = nlohmann::json::parse(read_file(dir / "out/scores.json")).at("images");
  const Words lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 6u);
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(nlohmann::json::parse(lines[i]), rows[i]);
  // An earlier run's rows once too.
  EXPECT_EQ(lines_of(infer(score + Words{dir / "out", "--json-lines", "--resume"}).out), lines);
  EXPECT_TRUE(ended(infer(score + Words{dir / "out", "--fail-on-anomaly", "--threshold", "-1e9"}), 3));
  EXPECT_TRUE(ended(infer(score + Words{dir / "out", "--fail-on-anomaly", "--threshold", "1e9"}), 0));
  EXPECT_TRUE(ended(infer(score + Words{dir / "out", "--threshold", "-1e9"}), 0));
  // What failed counts for more; the row says why.
  write_file_atomically(dir / "in/bad.png", "text");
  const ProcessResult bad =
      infer(score + Words{dir / "out", "--fail-on-anomaly", "--threshold", "-1e9", "--json-lines"});
  EXPECT_TRUE(ended(bad, 1));
  EXPECT_TRUE(nlohmann::json::parse(lines_of(bad.out).back()).contains("error")) << bad.out;
  EXPECT_TRUE(refused(infer(score + Words{dir / "x", "--json-lines", "--profile"}), 2, {"--profile"}));
}

// A line that is rewritten is for terminals that can; nothing else contains escape sequences or carriage returns.
TEST(InferProgram, RewritesLinesOnTerminalsThatCan) {
  const auto on_terminal = [](const std::string& term, const std::string& command) {
    return run_process({"/usr/bin/env", "TERM=" + term, "script", "-qec", command, "/dev/null"});
  };
  if (on_terminal("xterm", "true").exit_code != 0) GTEST_SKIP() << "no terminals here (script -qec true)";
  const TempDir dir;
  write_digits(dir / "in", 3);
  const std::string command = std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer score --threads 1 --model " +
                              shared().model + " --input " + (dir / "in") + " --out " + (dir / "out");
  const auto rewrites = [](const ProcessResult& r) { return r.out.find("\033[K") != std::string::npos; };
  const ProcessResult able = on_terminal("xterm", command), dumb = on_terminal("dumb", command),
                      unknown = on_terminal("", command),
                      file = infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1",
                                    "--out", dir / "out"});
  for (const ProcessResult* r : {&able, &dumb, &unknown, &file})
    EXPECT_TRUE(ended(*r, 0, {"scoring: ", "3 images scored"}));
  EXPECT_TRUE(rewrites(able));
  EXPECT_FALSE(rewrites(dumb) || rewrites(unknown));
  EXPECT_EQ(file.err.find_first_of("\033\r"), std::string::npos);
}

TEST(InferProgram, RefusesMissingInputs) {
  const TempDir dir;
  fs::create_directory(dir / "empty");
  const auto score = [&](const std::string& input) {
    return infer({"score", "--model", shared().model, "--input", input, "--out", dir / "out"});
  };
  EXPECT_TRUE(refused(score(dir / "nowhere"), 1, {dir / "nowhere"}));
  EXPECT_TRUE(refused(score(dir / "empty"), 1, {dir / "empty"}));
  EXPECT_FALSE(fs::exists(dir / "out/scores.csv"));
}

TEST(InferProgram, RefusesDamagedModels) {
  const TempDir dir;
  const std::string path = dir / "damaged.safetensors";
  const std::string good = read_file(shared().model);
  const auto said = [&](const std::string& bytes) {
    write_file_atomically(path, bytes);
    return infer({"info", "--model", path});
  };
  EXPECT_TRUE(refused(infer({"info", "--model", dir / "none"}), 1, {dir / "none", "No such file"}));
  EXPECT_TRUE(refused(infer({"info", "--model", dir / ""}), 1, {dir / ""}));
  for (const std::size_t n :
       {std::size_t{0}, std::size_t{5}, std::size_t{8}, std::size_t{100}, good.size() / 2, good.size() - 1})
    EXPECT_TRUE(refused(said(good.substr(0, n)), 1, {path})) << n << " bytes";
  EXPECT_TRUE(refused(said(good + "x"), 1, {path, "bytes"}));
  EXPECT_TRUE(refused(said(read_file(shared().run + "/config.json")), 1, {path}));
  std::string long_header = good;
  for (int i = 0; i < 8; ++i) long_header[static_cast<std::size_t>(i)] = '\x7f';
  EXPECT_TRUE(refused(said(long_header), 1, {path, "header length"}));
  long_header[7] = long_header[6] = long_header[5] = long_header[4] = long_header[3] = 0;
  EXPECT_TRUE(refused(said(long_header), 1, {path, "header length"}));
  std::string no_json = good;
  no_json[20] = '\0';
  EXPECT_TRUE(ended(said(no_json), 1, {path}));
  EXPECT_TRUE(refused(said(read_file(list_checkpoints(shared().run).begin()->second)), 1, {path, "not a pgad model"}));
}

// The shared model with something changed.
void write_changed_model(const std::string& path, const std::function<void(SafeTensorsFile&)>& change) {
  SafeTensorsFile file = read_safetensors(shared().model);
  change(file);
  std::vector<SafeTensorView> views;
  for (const auto& [name, t] : file.tensors) views.push_back({name, t.dtype, t.shape, t.bytes});
  write_safetensors(path, views, file.metadata);
}

TEST(InferProgram, RefusesModelsThatContradictThemselves) {
  const TempDir dir;
  const std::string path = dir / "changed.safetensors";
  const auto said = [&](const std::function<void(SafeTensorsFile&)>& change) {
    write_changed_model(path, change);
    return infer({"info", "--model", path});
  };
  const auto config = [](const char* key, const nlohmann::json& value) {
    return [=](SafeTensorsFile& f) {
      auto json = nlohmann::json::parse(f.metadata.at("config"));
      json[key] = value;
      f.metadata["config"] = json.dump();
    };
  };
  const auto metadata = [](const char* key, const char* value) {
    return [=](SafeTensorsFile& f) { f.metadata[key] = value; };
  };
  ASSERT_TRUE(ended(said([](SafeTensorsFile&) {}), 0));
  EXPECT_TRUE(refused(said([](SafeTensorsFile& f) { f.metadata.clear(); }), 1, {path, "not a pgad model"}));
  EXPECT_TRUE(refused(said(metadata("format_version", "99")), 1, {path, "99"}));
  EXPECT_TRUE(refused(said(config("fmap-max", 8)), 1, {path, "tensor", "found F32", "wanted F32"}));
  EXPECT_TRUE(refused(said(config("resolution", 16)), 1, {path, "8x8"}));
  EXPECT_TRUE(refused(said(config("channels", 3)), 1, {path}));
  EXPECT_TRUE(refused(said(config("gamma", -1)), 1, {path, "gamma"}));
  EXPECT_TRUE(refused(said(config("colour", "red")), 1, {path, "colour"}));
  EXPECT_TRUE(refused(said(config("architecture", "stylegan")), 1, {path, "architecture", "stylegan", "pggan"}));
  EXPECT_TRUE(refused(said(metadata("level", "9")), 1, {path, "level"}));
  EXPECT_TRUE(refused(said(metadata("level", "three")), 1, {path, "level", "three"}));
  EXPECT_TRUE(refused(said(metadata("alpha", "7")), 1, {path, "alpha"}));
  // Older files tell the previous size's weight instead.
  const auto older = [](const char* weight) {
    return [=](SafeTensorsFile& f) {
      f.metadata.erase("alpha");
      if (*weight != 0) f.metadata["old_weight"] = weight;
    };
  };
  EXPECT_TRUE(ended(said(older("0")), 0));
  EXPECT_TRUE(refused(said(older("7")), 1, {path, "alpha"}));
  EXPECT_TRUE(refused(said(older("")), 1, {path, "alpha"}));
  EXPECT_TRUE(refused(said(metadata("minibatch_stddev", "nan")), 1, {path, "minibatch_stddev"}));
  EXPECT_TRUE(refused(said(metadata("preprocessing", "nonsense")), 1, {path, "preprocessing"}));
  EXPECT_TRUE(ended(said(metadata("config", "{")), 1, {path, "config"}));
  EXPECT_TRUE(ended(said(metadata("calibration", "{}")), 1, {path, "calibration"}));
  EXPECT_TRUE(refused(said([](SafeTensorsFile& f) { f.metadata.erase("images"); }), 1, {path, "images"}));
  std::string first;
  EXPECT_TRUE(refused(said([&](SafeTensorsFile& f) {
                        first = f.tensors.begin()->first;
                        f.tensors.begin()->second.shape.push_back(1);
                      }),
                      1, {path, "tensor"}));
  EXPECT_TRUE(
      refused(said([&](SafeTensorsFile& f) { f.tensors.erase(std::prev(f.tensors.end())); }), 1, {path, "no tensor"}));
}

// A model file from before cross-fitted scores were stored: they follow from its terms.
TEST(InferProgram, OlderModelsHaveTheSameThreshold) {
  const TempDir dir;
  const std::string old = dir / "old.safetensors", wrong = dir / "wrong.safetensors";
  write_changed_model(old, [](SafeTensorsFile& f) { EXPECT_EQ(f.tensors.erase("calibration.normal_combined"), 1u); });
  const auto thresholds = [](const std::string& model) {
    const ProcessResult r = infer({"info", "--model", model});
    EXPECT_TRUE(ended(r, 0, {"threshold at"}));
    return r.out.substr(r.out.find("threshold at"));
  };
  EXPECT_EQ(thresholds(old), thresholds(shared().model));
  write_changed_model(wrong, [](SafeTensorsFile& f) {
    auto& t = f.tensors.at("calibration.normal_combined");
    t.shape = {1, t.shape[0]};
  });
  EXPECT_TRUE(refused(infer({"info", "--model", wrong}), 1, {wrong, "calibration.normal_combined"}));
}

// What the fit of the weights has to say stands where its results are read.
TEST(InferProgram, NoteOfTheCalibrationIsPassedOn) {
  const TempDir dir;
  const std::string model = dir / "noted.safetensors";
  write_changed_model(model, [](SafeTensorsFile& f) {
    auto json = nlohmann::json::parse(f.metadata.at("calibration"));
    json["notes"] = {"the fit is poor"};
    f.metadata["calibration"] = json.dump();
  });
  write_digits(dir / "in", 1);
  EXPECT_TRUE(ended(infer({"info", "--model", model}), 0, {"the fit is poor"}));
  EXPECT_TRUE(ended(infer({"score", "--model", model, "--input", dir / "in", "--threads", "1", "--out", dir / "out"}),
                    0, {"note: the fit is poor"}));
  const auto scores = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  EXPECT_EQ(scores.at("notes").at(0), "the fit is poor");
}

// One held-out normal image is no ground for a threshold: images are scored, but not judged unless the user says how.
TEST(InferProgram, UndecidedWithoutEnoughHeldOutNormals) {
  const TempDir dir;
  const std::string model = dir / "one.safetensors";
  write_changed_model(model, [](SafeTensorsFile& f) {
    SafeTensor& terms = f.tensors.at("calibration.normal_terms");
    terms.bytes.resize(terms.bytes.size() / static_cast<std::size_t>(terms.shape[0]));
    terms.shape[0] = 1;
    f.tensors.erase("calibration.normal_combined");
  });
  write_digits(dir / "in", 2);
  const auto score = [&](const Words& more) {
    const ProcessResult r =
        infer(Words{"score", "--model", model, "--input", dir / "in", "--steps", "2", "--out", dir / "out"} + more);
    return std::make_pair(r, read_csv(dir / "out/scores.csv"));
  };
  const auto [undecided, rows] = score({});
  EXPECT_TRUE(ended(undecided, 0, {"only 1 normal image is held out", "72 are needed", "none judged"}));
  ASSERT_EQ(rows.size(), 2u);
  for (const auto& row : rows) {
    EXPECT_EQ(row.at("decision"), "undecided");
    EXPECT_NE(row.at("combined"), "");
  }
  const auto json = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  EXPECT_TRUE(json.at("threshold").is_null());
  EXPECT_EQ(json.at("images").at(0).at("decision"), "undecided");
  const auto [decided, judged] = score({"--threshold", "-1000"});
  EXPECT_TRUE(ended(decided, 0, {"2 judged anomalous"}));
  EXPECT_EQ(decided.err.find("held out"), std::string::npos) << decided.err;
  for (const auto& row : judged) EXPECT_EQ(row.at("decision"), "anomalous");
  const auto r = infer({"evaluate", "--model", model, "--data", shared().data, "--steps", "2", "--limit", "5", "--out",
                        dir / "evaluation"});
  EXPECT_TRUE(ended(r, 0, {"72 are needed"}));
  const auto metrics = nlohmann::json::parse(read_file(dir / "evaluation/metrics.json"));
  EXPECT_TRUE(metrics.at("scores").at("combined").at("threshold_used").is_null());
  EXPECT_FALSE(metrics.at("scores").at("combined").contains("f1"));
}

TEST(InferProgram, ScoresTheGoodAmongBadImages) {
  const TempDir dir;
  const Words good = write_digits(dir / "in", 4);
  const std::string png = read_file(good[0]);
  std::string corrupt = png;
  for (std::size_t i = corrupt.size() / 2; i < corrupt.size() / 2 + 20; ++i)
    corrupt[i] = static_cast<char>(~corrupt[i]);
  write_file_atomically(dir / "in/101-corrupt.png", corrupt);
  write_file_atomically(dir / "in/102-truncated.png", png.substr(0, png.size() / 2));
  write_file_atomically(dir / "in/103-empty.png", "");
  const Words score = {"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--batch", "2"};

  EXPECT_TRUE(
      refused(infer(score + Words{"--out", dir / "out"}), 1,
              {"101-corrupt.png", "102-truncated.png", "103-empty.png", "4 images scored", "3 could not be read"}));
  const auto rows = read_csv(dir / "out/scores.csv");
  ASSERT_EQ(rows.size(), 7u);
  const Words order = {"100.png", "101-corrupt.png", "101.png", "102-truncated.png",
                       "102.png", "103-empty.png",   "103.png"};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("path"), order[i]);
    const bool bad = order[i].find('-') != std::string::npos;
    EXPECT_EQ(rows[i].at("error").empty(), !bad) << order[i];
    for (const std::string& name : kScores) EXPECT_EQ(rows[i].at(name).empty(), bad) << order[i];
    EXPECT_EQ(rows[i].at("decision").empty(), bad) << order[i];
  }
  EXPECT_NE(rows[3].at("error").find("truncated"), std::string::npos) << rows[3].at("error");
  EXPECT_NE(rows[5].at("error").find("0 bytes"), std::string::npos) << rows[5].at("error");
  const auto json = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  EXPECT_EQ(json.at("images").size(), 7u);
  EXPECT_TRUE(json.at("images")[1].contains("error"));

  EXPECT_TRUE(refused(infer(score + Words{"--out", dir / "strict", "--strict"}), 1,
                      {"101-corrupt.png", "1 images are kept in " + (dir / "strict/scores.csv")}));
  EXPECT_EQ(read_csv(dir / "strict/scores.csv").size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(read_file(dir / "strict/scores.json")).at("complete"), false);
  EXPECT_EQ(left_overs(dir / "strict"), Words{});
  // Results of an earlier call survive a call that fails.
  const std::string before = read_file(dir / "out/scores.csv");
  EXPECT_TRUE(refused(infer(score + Words{"--out", dir / "out", "--strict"}), 1,
                      {"101-corrupt.png", "1 images are kept in " + (dir / "out/scores.csv.part")}));
  EXPECT_EQ(before, read_file(dir / "out/scores.csv"));
  EXPECT_EQ(read_csv(dir / "out/scores.csv.part").size(), 1u);
}

TEST(InferProgram, ScoresAreTheSameEachTime) {
  const TempDir dir;
  write_digits(dir / "in", 7);
  for (const char* out : {"a", "b"})
    ASSERT_TRUE(
        ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--out", dir / out}),
              0, {"7 images scored", "judged anomalous"}));
  EXPECT_EQ(read_file(dir / "a/scores.csv"), read_file(dir / "b/scores.csv"));
  EXPECT_EQ(read_file(dir / "a/scores.json"), read_file(dir / "b/scores.json"));
}

TEST(InferProgram, ScoresDoNotDependOnTheCompany) {
  const TempDir dir;
  const Words files = write_digits(dir / "in", 7);
  const Words options = {"--steps", "30", "--threads", "1", "--batch", "4"};
  const auto score = [&](const Words& inputs, const std::string& out, const Words& more) {
    EXPECT_TRUE(
        ended(infer(Words{"score", "--model", shared().model, "--out", dir / out, "--input"} + inputs + more), 0));
    return scores_by_name((dir / out) + "/scores.csv");
  };
  const auto together = score(files, "together", options);
  ASSERT_EQ(together.size(), 7u);
  auto others = score(Words(files.rbegin(), files.rend()), "reversed", options);
  EXPECT_EQ(read_csv(dir / "reversed/scores.csv").front().at("path"), files.back());
  const auto compare = [&](const char* what) {
    for (const auto& [name, values] : others)
      for (std::size_t i = 0; i < kScores.size(); ++i) {
        EXPECT_EQ(values.at(i), together.at(name).at(i)) << what << ": " << name << " " << kScores[i];
      }
  };
  compare("reversed");
  others = score(files, "at once", {"--steps", "30", "--threads", "1", "--batch", "7"});
  ASSERT_EQ(others.size(), 7u);
  compare("batch 7");
  others.clear();
  for (const std::string& file : files) others.merge(score({file}, "alone", options));
  ASSERT_EQ(others.size(), 7u);
  compare("alone");
  others = score(files, "two threads", {"--steps", "30", "--threads", "2", "--batch", "4"});
  compare("two threads");
}

TEST(InferProgram, WritesMaps) {
  const TempDir dir;
  write_digits(dir / "in/sub", 1);
  ASSERT_TRUE(ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--out",
                           dir / "out", "--maps"}),
                    0));
  const std::string base = dir / "out/maps/sub/100.png";
  const Image heatmap = read_image(base + ".heatmap.png");
  EXPECT_EQ(heatmap.height, 28);
  EXPECT_EQ(heatmap.width, 28);
  EXPECT_EQ(heatmap.channels, 3);
  const Image reconstruction = read_image(base + ".reconstruction.png");
  EXPECT_EQ(reconstruction.height, 8);
  EXPECT_EQ(reconstruction.width, 8);
  const Image panel = read_image(base + ".panel.png");
  EXPECT_GT(panel.width, 3 * panel.height);
  for (const char* suffix : {".residual.npy", ".calibrated.npy"}) {
    const NpyArray map = read_npy(base + suffix);
    EXPECT_EQ(map.shape, (std::vector<std::int64_t>{8, 8}));
    EXPECT_TRUE(std::ranges::all_of(map.values, [](float v) { return std::isfinite(v); })) << suffix;
  }
  const NpyArray residual = read_npy(base + ".residual.npy");
  double mean = 0;
  for (const float v : residual.values) mean += v / 64.0;
  EXPECT_NEAR(mean, std::stod(read_csv(dir / "out/scores.csv").at(0).at("residual")), 1e-5);
}

TEST(InferProgram, SaysWhereImagesAreAbnormal) {
  const TempDir dir;
  const Shared& s = shared();
  for (const char* folder : {"data/test/good", "data/test/bad", "data/ground_truth/bad"})
    fs::create_directories(dir / folder);
  Image mask{28, 28, 1, std::vector<float>(784, 0)};
  for (int y = 10; y < 18; ++y)
    for (int x = 10; x < 18; ++x) mask.pixels[static_cast<std::size_t>(28 * y + x)] = 1;
  for (long i = 0; i < 6; ++i) {
    const std::string name = std::to_string(i) + ".png";
    write_png(dir / (i < 3 ? "data/test/good/" : "data/test/bad/") + name, s.digits.image(i));
    if (i >= 3) write_png(dir / "data/ground_truth/bad/" + name, mask);
  }
  const Words call = {"--model", s.model, "--threads", "1", "--region-threshold", "0.3", "--out"};
  ASSERT_TRUE(ended(infer(Words{"evaluate", "--data", dir / "data", "--maps"} + call + Words{dir / "out"}), 0,
                    {"6 images scored"}));
  const auto scores = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  EXPECT_EQ(scores.at("region_threshold"), 0.3);
  const auto coco = nlohmann::json::parse(read_file(dir / "out/regions.json"));
  EXPECT_EQ(coco.at("images").size(), 6u);
  const auto rows = read_csv(dir / "out/scores.csv");
  std::size_t all = 0, on_normals = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    const auto& row = scores.at("images").at(i);
    EXPECT_EQ(row.at("width"), 28);
    EXPECT_EQ(coco.at("images").at(i).at("file_name"), row.at("path"));
    const std::size_t count = row.at("regions").size();
    EXPECT_EQ(rows[i].at("regions"), std::to_string(count));
    const Image labels = read_image((dir / "out/") + row.at("map").get<std::string>() + ".regions.png");
    std::vector<std::int64_t> areas(count);
    for (const float v : labels.pixels)
      if (v > 0) ++areas.at(static_cast<std::size_t>(std::lround(255 * v)) - 1);
    for (std::size_t r = 0; r < count; ++r) {
      EXPECT_EQ(areas[r], row.at("regions").at(r).at("area"));
      EXPECT_GT(row.at("regions").at(r).at("peak"), 0.3);
      EXPECT_EQ(coco.at("annotations").at(all + r).at("image_id"), i + 1);
    }
    all += count;
    on_normals += row.at("label") == "normal" && count > 0;
  }
  EXPECT_GT(all, 0u);
  EXPECT_EQ(coco.at("annotations").size(), all);
  const auto regions = nlohmann::json::parse(read_file(dir / "out/metrics.json")).at("regions");
  EXPECT_EQ(regions.at("in_masks"), 3);
  EXPECT_EQ(regions.at("regions"), all);
  EXPECT_EQ(regions.at("normal_images"), 3);
  EXPECT_EQ(regions.at("normal_images_with_regions"), on_normals);

  // A run that is gone on with writes the same files, and only by the same threshold.
  const std::string test = dir / "data/test";
  ASSERT_TRUE(ended(infer(Words{"score", "--input", test} + call + Words{dir / "whole"}), 0));
  fs::rename(dir / "data/test/bad", dir / "later");
  ASSERT_TRUE(ended(infer(Words{"score", "--input", test} + call + Words{dir / "parts"}), 0));
  fs::rename(dir / "later", dir / "data/test/bad");
  Words resumed = Words{"score", "--input", test, "--resume"} + call + Words{dir / "parts"};
  std::string& threshold = *std::ranges::find(resumed, "0.3");
  threshold = "2";
  EXPECT_TRUE(refused(infer(resumed), 2, {"region_threshold is 2.0", "0.3"}));
  threshold = "0.3";
  ASSERT_TRUE(ended(infer(resumed), 0, {"3 of 6 images are there"}));
  for (const char* name : {"/scores.csv", "/scores.json", "/regions.json"})
    EXPECT_EQ(read_file((dir / "parts") + name), read_file((dir / "whole") + name)) << name;
}

TEST(InferProgram, FullDiskWhileScoring) {
  // Full before the lock's file, before the first table's header, before the second's.
  for (const std::size_t free_pages : {0, 1, 2}) {
    const TempDir dir;
    const SmallDisk disk(dir / "disk", 32 << 10);
    if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
    std::ofstream(dir / "disk/filler") << std::string(std::size_t{4096} * (8 - free_pages), 'x');
    EXPECT_TRUE(refused(infer({"score", "--model", shared().model, "--input", shared().data, "--steps", "1",
                               "--threads", "1", "--out", dir / "disk"}),
                        1, {dir / "disk/scores.", "No space left on device"}));
    EXPECT_FALSE(fs::exists(dir / "disk/scores.csv"));
    EXPECT_FALSE(fs::exists(dir / "disk/scores.json"));
    EXPECT_EQ(left_overs(dir / "disk"), Words{}) << free_pages << " free pages";
  }
}

TEST(InferProgram, PaperFigures) {
  const TempDir dir;
  const Words words = {"paper-figures", "--model", shared().model, "--data", shared().data,
                       "--steps",       "2",       "--threads",    "1"};
  ASSERT_TRUE(ended(infer(words + Words{"--out", dir / "a", "--count", "7", "--columns", "3", "--kind", "3"}), 0,
                    {"figure5.png"}));
  const int cell = 96 + 4, left = 16 + 16;
  for (const char* name : {"figure4.png", "figure6.png"}) {
    const Image figure = read_image(dir / "a/" + name);
    const int rows = name == std::string("figure6.png") ? 3 : 2;  // with the anomaly map
    EXPECT_EQ(figure.height, 76 + rows * cell + 16) << name;
    EXPECT_GE(figure.width, left + 3 * (3 * cell + 24)) << name;  // three groups of three columns
  }
  EXPECT_EQ(read_image(dir / "a/figure5.png").width, 1000);
  // The noise is that of the seed, and does not depend on how many are asked for.
  ASSERT_TRUE(ended(infer(words + Words{"--out", dir / "b", "--count", "4", "--columns", "2", "--noise", "0"}), 0));
  const Image noisy = read_image(dir / "a/noisy-1.png"), plain = read_image(dir / "b/noisy-1.png");
  double square = 0;
  for (std::size_t i = 0; i < plain.pixels.size(); ++i) square += std::pow(noisy.pixels[i] - plain.pixels[i], 2);
  EXPECT_NEAR(std::sqrt(square / static_cast<double>(plain.pixels.size())), 0.07, 0.02);  // .1, half of it cut at black
  EXPECT_FALSE(fs::exists(dir / "b/noisy-2.png"));
  EXPECT_TRUE(refused(infer(words + Words{"--out", dir / "c", "--kind", "hole"}), 2,
                      {"--kind 'hole': expected one of 0, 1, 2"}));
}

// The file of a program that knew fewer scores: the new ones are measured, but have no threshold and no weight.
TEST(InferProgram, EvaluatesAModelOlderThanAScore) {
  const TempDir dir;
  Exec exec(Device{}, 1);
  Model model = load_model(exec, shared().model);
  Calibration& c = *model.calibration;
  for (const ScoreIndex t : {kRelativeResidual, kRelativeFeature}) {
    for (auto* terms : {&c.normal_terms, &c.abnormal_terms})
      for (std::size_t i = t; i < terms->size(); i += kTermCount) (*terms)[i] = std::nan("");
    c.mean[t] = c.spread[t] = c.weight[t] = std::nan("");
  }
  save_model(dir / "old.safetensors", model);
  const Words words = {"evaluate", "--data", shared().data, "--threads", "1", "--limit", "5"};
  ASSERT_TRUE(ended(infer(words + Words{"--model", dir / "old.safetensors", "--out", dir / "old"}), 0));
  const auto scores = nlohmann::json::parse(read_file(dir / "old/metrics.json")).at("scores");
  EXPECT_TRUE(scores.at("residual").contains("threshold"));
  EXPECT_FALSE(scores.at("relative_residual").contains("threshold"));
  EXPECT_TRUE(scores.at("relative_residual").at("auroc").is_number());
  // Rows of a program that knew fewer scores are searched again by --resume.
  const std::string table = read_file(dir / "old/scores.json");
  std::string older = table;
  for (std::size_t at = 0; (at = older.find("\"relative_residual\"")) != std::string::npos;)
    older.erase(at, older.find(',', at) + 1 - at);
  write_file_atomically(dir / "old/scores.json", older);
  ASSERT_TRUE(ended(infer(words + Words{"--model", dir / "old.safetensors", "--out", dir / "old", "--resume"}), 0));
  EXPECT_EQ(read_file(dir / "old/scores.json"), table);
  EXPECT_TRUE(ended(infer({"info", "--model", dir / "old.safetensors", "--false-reject-rate", ".25"}), 0,
                    {"residual", "at a false-reject rate of 0.25"}));
}

TEST(InferProgram, Evaluates) {
  const TempDir dir;
  const auto r = infer({"evaluate", "--model", shared().model, "--data", shared().data, "--threads", "1", "--limit",
                        "20", "--out", dir / "out"});
  ASSERT_TRUE(ended(r, 0, {"40 images scored"}));
  EXPECT_NE(r.out.find("score              AUROC     AP     F1"), std::string::npos) << r.out;
  const auto metrics = nlohmann::json::parse(read_file(dir / "out/metrics.json"));
  EXPECT_EQ(metrics.at("images").at("normal"), 20);
  EXPECT_EQ(metrics.at("images").at("anomalous"), 20);
  for (const std::string& name : kScores) {
    EXPECT_NE(r.out.find(name), std::string::npos) << r.out;
    for (const char* key : {"auroc", "average_precision", "f1"}) {
      const double v = metrics.at("scores").at(name).at(key).get<double>();
      EXPECT_TRUE(v >= 0 && v <= 1) << name << " " << key << " " << v;
    }
  }
  for (const char* name : {"roc.png", "histogram.png", "examples.png"}) {
    const Image image = read_image((dir / "out/") + name);
    EXPECT_GT(image.width, 32) << name;
  }
  // Nothing but that the tests' model has few held-out normals.
  for (const auto& json : {metrics, nlohmann::json::parse(read_file(dir / "out/scores.json"))}) {
    ASSERT_EQ(json.at("notes").size(), 1u) << json.at("notes");
    EXPECT_NE(json.at("notes").at(0).get<std::string>().find("only 8 normal images are held out"), std::string::npos);
  }
  // Drawn without the images that trained or calibrated the model.
  const auto rows = read_csv(dir / "out/scores.csv");
  EXPECT_EQ(rows.size(), 40u);
  for (const auto& row : rows) EXPECT_EQ(row.at("label") == "normal", row.at("group") == "8");
}

// No split, however asked for, tests the model on images that trained or calibrated it.
TEST(InferProgram, KnownImagesAreLeftOutOfTheTest) {
  const TempDir dir;
  DataConfig own;
  own.path = shared().data;
  own.normal_class = "8";
  own.calibration_images = 8;
  const Dataset trained = Dataset::open(own);
  std::set<std::string> known;
  for (const auto* list :
       {&trained.train_normal, &trained.train_abnormal, &trained.calibration_normal, &trained.calibration_abnormal})
    for (const Sample& s : *list) known.insert(s.name);
  const Words evaluate = {"evaluate",  "--model", shared().model, "--data", shared().data,
                          "--threads", "1",       "--steps",      "3",      "--out"};
  const auto tested = [&](const Words& options, bool any_known = true) {
    const std::string out = dir / ("out" + options.at(0) + options.back());
    const ProcessResult r = infer(evaluate + Words{out} + options);
    EXPECT_TRUE(ended(r, 0));
    EXPECT_EQ(r.err.find("left out of the test") != std::string::npos, any_known) << r.err;
    std::set<std::string> names;
    for (const auto& row : read_csv(out + "/scores.csv")) {
      names.insert(row.at("path"));
      EXPECT_FALSE(known.contains(row.at("path"))) << row.at("path");
    }
    const auto metrics = nlohmann::json::parse(read_file(out + "/metrics.json"));
    EXPECT_EQ(metrics.value("known_images_left_out", 0) > 0, any_known);
    EXPECT_EQ(metrics.at("notes").size(), 1u) << metrics["notes"];  // of the few held-out normals
    return names;
  };
  const auto all = tested({"--split-seed", "1"});
  EXPECT_EQ(all.size(), trained.test.size());
  EXPECT_EQ(tested({"--split-seed", "2"}), all);
  EXPECT_EQ(tested({"--normal-class", "3"}), all);
  // The same images and more in training: what is left for the test is new to the model.
  EXPECT_LT(tested({"--abnormal-fraction", "0.3"}, false).size(), all.size());
  EXPECT_LE(tested({"--normal-fraction", "0.2"}).size(), all.size());
  // Other images by the same names.
  ASSERT_TRUE(ended(infer(evaluate + Words{dir / "new", "--new-data"}), 0, {"400 images scored"}));
  EXPECT_TRUE(
      refused(infer(evaluate + Words{dir / "no", "--new-data", "--normal-fraction", "0.5"}), 2, {"--new-data"}));
  // A file of an older version holds no names: the split is made again from its options.
  write_changed_model(dir / "old.safetensors", [](SafeTensorsFile& f) {
    EXPECT_EQ(f.tensors.erase("data.train_names") + f.tensors.erase("data.calibration_names"), 2u);
    f.metadata.erase("data_images");
  });
  Words old = evaluate + Words{dir / "old", "--split-seed", "2"};
  old[2] = dir / "old.safetensors";
  ASSERT_TRUE(ended(infer(old), 0));
  EXPECT_EQ(read_file(dir / "old/scores.csv"), read_file(dir / "out--split-seed2/scores.csv"));
}

// What puts the scores in doubt is said, and stands where the figures will be read too.
TEST(InferProgram, OtherScoringThanTheCalibrationsIsSaid) {
  const TempDir dir;
  const ProcessResult r = infer({"evaluate", "--model", shared().model, "--data", shared().data, "--threads", "1",
                                 "--limit", "4", "--lambda", "0.5", "--out", dir / "out"});
  ASSERT_TRUE(ended(r, 0, {"note: --lambda differ from the calibration's"}));
  for (const char* file : {"out/metrics.json", "out/scores.json"}) {
    const auto notes = nlohmann::json::parse(read_file(dir / file)).at("notes");
    EXPECT_NE(notes.dump().find("--lambda differ from the calibration's"), std::string::npos) << file;
  }
}

TEST(InferProgram, EvaluationNeedsBothKinds) {
  const TempDir dir;
  write_digits(dir / "in/train/good", 1);
  write_digits(dir / "in/test/good", 3);
  const Words words = {"evaluate", "--model", shared().model, "--data", dir / "in", "--out", dir / "out"};
  EXPECT_TRUE(refused(infer(words + Words{"--normal-class", ""}), 1, {"no anomalous images", "test/<defect>"}));
  fs::rename(dir / "in/test/good", dir / "in/test/scratch");
  EXPECT_TRUE(refused(infer(words + Words{"--normal-class", ""}), 1, {"no normal images"}));
  EXPECT_FALSE(fs::exists(dir / "out/metrics.json"));
}

// Images as a pipe gives them, one file behind another: as if they were files.
TEST(Infer, ScoresImagesFromStandardInput) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 5);
  const Words base = {"score", "--model", shared().model, "--threads", "1", "--steps", "2"};
  ASSERT_TRUE(ended(infer(base + Words{"--input", dir / "digits", "--out", dir / "files"}), 0));
  std::string bytes;
  for (const std::string& digit : digits) bytes += read_file(digit);
  put(dir / "stream", bytes);
  put(dir / "broken", bytes + "oops");
  put(dir / "empty", "");
  const auto from = [&](const std::string& input, const std::string& out, const Words& more = {}) {
    ProcessOptions options;
    options.input = dir / input;
    return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer"} + base +
                           Words{"--images-from-stdin", "--out", dir / out} + more,
                       options);
  };
  const ProcessResult streamed = from("stream", "streamed", {"--json-lines", "--maps"});
  ASSERT_TRUE(ended(streamed, 0, {"5 images scored"}));
  EXPECT_EQ(lines_of(streamed.out).size(), 5u);
  const auto rows = read_csv(dir / "streamed/scores.csv"), expected = read_csv(dir / "files/scores.csv");
  ASSERT_EQ(rows.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(rows[i].at("path"), str("stdin-00000", i + 1, ".png"));
    for (const std::string& score : kScores) EXPECT_EQ(rows[i].at(score), expected[i].at(score));
    EXPECT_TRUE(fs::exists(dir / ("streamed/" + rows[i].at("map") + ".heatmap.png")));
  }
  EXPECT_EQ(nlohmann::json::parse(read_file(dir / "streamed/scores.json"))["complete"], true);
  // What came before the break is kept.
  EXPECT_TRUE(refused(from("broken", "broken-out"), 1, {"standard input: image 6", "5 images scored"}));
  EXPECT_EQ(read_csv(dir / "broken-out/scores.csv").size(), 5u);
  EXPECT_EQ(nlohmann::json::parse(read_file(dir / "broken-out/scores.json"))["complete"], false);
  EXPECT_TRUE(refused(from("empty", "empty-out"), 1, {"standard input: no image came"}));
  EXPECT_TRUE(refused(from("stream", "x", {"--input", dir / "digits"}), 2, {"--input"}));
  EXPECT_TRUE(refused(from("stream", "x", {"--resume"}), 2, {"--resume"}));
  EXPECT_TRUE(refused(infer(base + Words{"--out", dir / "x"}), 2, {"--input is required", "--images-from-stdin"}));
}

}  // namespace
}  // namespace pgad::test
