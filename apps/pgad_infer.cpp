// Uses a trained model: scores images, evaluates on labelled ones, draws new ones, tells what it is.

#include <cmath>
#include <filesystem>
#include <tuple>

#include "apps/calibrate.h"
#include "apps/evaluate.h"
#include "apps/options.h"
#include "apps/output_folder.h"
#include "apps/program.h"
#include "apps/progress.h"
#include "apps/score.h"
#include "apps/show_model.h"
#include "apps/watch.h"
#include "images/atomic_file.h"
#include "model/config_io.h"
#include "report/comparison.h"
#include "report/result_writer.h"

namespace pgad {
namespace {

int compare_results(const std::vector<std::string>& folders, const std::string& out) {
  std::vector<EarlierResult> results;
  for (const std::string& folder : folders) {
    auto result = read_earlier_result(folder);
    if (!result) throw Error(str("'", folder, "' holds no scores.json; expected the --out of score or evaluate"));
    results.push_back(std::move(*result));
  }
  const Comparison comparison = compare(results[0], results[1], folders[0], folders[1]);
  Progress progress;
  const FolderLock lock = lock_output(out, progress);
  const std::filesystem::path folder = out;
  write_file_atomically((folder / "comparison.csv").string(), csv_of(comparison));
  plot_comparison((folder / "comparison.png").string(), comparison);
  std::cout << table_of(comparison);
  return 0;
}

}  // namespace
}  // namespace pgad

int main(int argc, char** argv) {
  using pgad::Group;
  CLI::App app("Finds anomalies in images with a model that pgad_train made.", "pgad_infer");
  app.require_subcommand(1);
  pgad::InspectionOptions o;
  std::function<int()> body;
  const auto command = [&](const char* name, const char* help, const pgad::FieldList& fields,
                           std::function<int()> call) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("--model", o.model, "model.safetensors of pgad_train")->required();
    pgad::add_options(*sub, o.given, fields, pgad::preset("tiny"), pgad::Naming::kShort);
    sub->callback([&body, call = std::move(call)] { body = call; });
    return sub;
  };
  const auto scoring =
      pgad::select_fields({Group::kScoring}, {"threads", "device", "precision", "tuning", "bits", "max-pixels"});
  const auto with_data =
      pgad::select_fields({Group::kScoring}, {"threads", "device", "precision", "tuning", "bits", "max-pixels",
                                              "normal-class", "normal-fraction", "abnormal-fraction", "split-seed"});
  const auto run_only = pgad::select_fields({}, {"threads", "device", "precision", "tuning"});

  CLI::App* score = command("score", "Scores images and judges them.", scoring, [&] { return pgad::score(o); });
  CLI::Option* input = score->add_option(
      "--input", o.inputs, "image files, folders, IDX files; @FILE or - (standard input): a list of them");
  CLI::Option* stream = score
                            ->add_flag("--images-from-stdin", o.images_from_stdin,
                                       "instead of --input: the images themselves come from standard input, one file "
                                       "behind another; PNG, JPEG, BMP, WebP, binary PGM and PPM")
                            ->excludes(input);
  CLI::Option* lines = score->add_flag("--json-lines", o.json_lines,
                                       "also print each image's row of scores.json to standard output, as it is known");
  score->add_flag("--fail-on-anomaly", o.fail_on_anomaly, "exit code 3 if an image is judged anomalous");
  CLI::App* evaluate = command("evaluate", "Scores a labelled test set and measures how well the scores separate it.",
                               with_data, [&] { return pgad::evaluate(o); });
  evaluate->add_option("--data", o.data, "IDX directory, inspection folder or class folders")->required();
  evaluate->add_flag("--new-data", o.new_data,
                     "test on all images, also where their names are those of images that trained the model");
  evaluate->add_option("--limit", o.limit, "at most this many images of each kind, drawn by the split seed; 0: all")
      ->check(CLI::NonNegativeNumber);
  evaluate->add_flag("--resize-masks", o.resize_masks, "bring masks of another size to their image's");
  evaluate
      ->add_option("--mask-threshold", o.mask_threshold,
                   "above which value, in [0, 1) of full brightness, a mask's pixel is anomalous; default: the larger "
                   "of two values, the upper half of many")
      ->check(CLI::Range(0.0, 1.0));
  for (CLI::App* sub : {score, evaluate}) {
    sub->add_option("--out", o.out, "directory for the results")->required();
    sub->add_flag("--maps", o.maps, "write heat maps, reconstructions and raw maps");
    CLI::Option* profile = sub->add_flag("--profile", o.profile, "then print where the time of a search step goes");
    if (sub == score) profile->excludes(lines);
    CLI::Option* report = sub->add_flag(
        "--report", o.report, "write report.html: summary, threshold, and each image with its map, for a browser");
    sub->add_option("--report-images", o.report_images,
                    "embed: the report is one file; link: its pictures lie in report/ beside it, in more detail")
        ->check(CLI::IsMember({"embed", "link"}))
        ->needs(report)
        ->capture_default_str();
    sub->add_flag("--strict", o.strict, "stop at the first image that cannot be read");
    CLI::Option* resume = sub->add_flag("--resume", o.resume,
                                        "go on with the results in --out: only images without a score are searched");
    if (sub == score) stream->excludes(resume)->excludes(profile);
  }
  pgad::WatchOptions watched;
  CLI::App* watch = command("watch", "Judges the images of a folder as they come, until it is ended.", scoring, [&] {
    watched.model = o.model;
    watched.given = o.given;
    watched.threshold = o.threshold;
    watched.region_threshold = o.region_threshold;
    return pgad::watch(watched);
  });
  watch->add_option("--input", watched.input, "the folder; those below it are watched too")->required();
  watch->add_option("--out", watched.out, "directory for the results; with those of an earlier call it goes on")
      ->required();
  watch->add_flag("--maps", watched.maps, "write heat maps, reconstructions and raw maps");
  watch->add_flag("--json-lines", watched.json_lines,
                  "also print each image's row of scores.jsonl to standard output, as it is known");
  CLI::Option* move =
      watch->add_option("--move-to", watched.move_to, "move judged images to normal, anomalous, ... in this folder");
  watch->add_option("--link-to", watched.link_to, "leave them, and link them from such folders")->excludes(move);
  watch
      ->add_option("--rescan", watched.rescan,
                   "seconds between looks at the whole folder, by which images on network drives are found")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  for (CLI::App* sub : {score, evaluate, watch}) {
    for (const auto& [name, value, help] :
         {std::tuple("--threshold", &o.threshold, "of combined; default: the calibration's"),
          std::tuple("--region-threshold", &o.region_threshold,
                     "that a region's peak exceeds, standard deviations as in the map; default: the calibration's")})
      sub->add_option(name, *value, help)->check([](const std::string& text) {
        double number = 0;
        const bool good = CLI::detail::lexical_cast(text, number) && std::isfinite(number);
        return good ? std::string() : pgad::str("'", text, "', expected a number");
      });
  }
  pgad::CalibrateOptions calibration;
  CLI::App* calibrate = command("calibrate", "Calibrates a model on other images, without training.", scoring, [&] {
    calibration.model = o.model;
    calibration.given = o.given;
    return pgad::calibrate_model(calibration);
  });
  calibrate->add_option("--data", calibration.data, "normal images: files, folders, IDX files, @LIST")->required();
  calibrate->add_option("--abnormal", calibration.abnormal,
                        "known abnormal ones, to which the scores' weights are fitted anew; default: the weights stay");
  calibrate->add_option(
      "--ignore-mask", calibration.ignore_mask,
      "places of the images that never count, from now on: an image as large as they, white there, or "
      "JSON with polygons; none: all count again; default: the model's");
  calibrate->add_option("--out", calibration.out, "the model file to write; must not be there yet")->required();
  CLI::App* figures =
      command("paper-figures", "Draws figures 4 to 6 of Kimura & Yanagihara (2018) for this model and data.", with_data,
              [&] { return pgad::paper_figures(o); });
  figures->add_option("--data", o.data, "IDX directory, inspection folder or class folders")->required();
  figures->add_flag("--new-data", o.new_data, "as of evaluate");
  figures->add_option("--out", o.out, "directory for the figures")->required();
  figures->add_option("--count", o.figure_images, "normal images, and abnormal ones, at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  figures->add_option("--columns", o.columns, "images of each kind that are shown")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  figures->add_option("--noise", o.noise, "deviation of the noise on normal images, share of full brightness")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  figures->add_option("--kind", o.kind, "class of the abnormal images; default: the one with the most");
  pgad::GenerateOptions drawn;
  CLI::App* generate = command("generate", "Draws images from the model.", run_only, [&] {
    drawn.model = o.model;
    drawn.given = o.given;
    return pgad::generate_images(drawn);
  });
  generate->add_option("--out", drawn.out, "directory for samples.png and samples.npy")->required();
  CLI::Option* count =
      generate->add_option("--count", drawn.count, "how many")->check(CLI::Range(1, 1000000))->capture_default_str();
  CLI::Option* seed = generate->add_option("--seed", drawn.seed, "of the latents")->capture_default_str();
  generate->add_option("--latents", drawn.latents, "NumPy file [count, latent size], instead of random ones")
      ->excludes(count)
      ->excludes(seed);
  std::vector<std::string> results;
  CLI::App* compare = app.add_subcommand("compare", "Compares two results of the same images: which decisions differ.");
  compare->add_option("results", results, "folders that score or evaluate wrote, of two models or two calibrations")
      ->required()
      ->expected(2);
  compare->add_option("--out", o.out, "directory for comparison.csv and comparison.png")->required();
  compare->callback([&] { body = [&] { return pgad::compare_results(results, o.out); }; });
  bool speed = false, pictures = false;
  CLI::App* info = command("info", "Prints what a model is.",
                           pgad::select_fields({}, {"threads", "device", "precision", "tuning", "false-reject-rate"}),
                           [&] { return pgad::print_model(o.model, o.given, speed, pictures); });
  info->add_flag("--speed", speed, "also how long the search of an image takes here");
  info->add_flag("--pictures", pictures, "also show images that it draws where the output is no terminal");
  return pgad::run_program(app, argc, argv, [&] { return body(); });
}
