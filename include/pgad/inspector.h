#pragma once
/// \file
/// Inspection of pictures in memory by a trained model. C++17. The same in C: pgad.h.
///
/// \code
///   pgad::Inspector inspector("model.safetensors");
///   pgad::Result r = inspector.inspect({pixels, height, width, 3});
///   if (r.decision == pgad::Decision::kAnomalous) mark(r.map, r.height, r.width);
/// \endcode
///
/// The library writes nothing to standard output or standard error, sets no signal handlers, and leaves the locale of
/// the program as it is. Its threads take no signals.

#include <pgad/error.h>
#include <pgad/export.h>
#include <pgad/picture.h>
#include <pgad/region.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgad {

/// Of a picture.
enum class Decision {
  kNormal,
  kAnomalous,
  kUndecided,  ///< the model has no threshold: not calibrated, or from too few normal images
};

/// What the inspection of one picture found.
struct Result {
  Decision decision = Decision::kUndecided;  ///< by the threshold
  /// Of `combined`: above it a picture is anomalous. NaN where there is none.
  double threshold = std::numeric_limits<double>::quiet_NaN();
  /// By the names in Inspector::score_names(); larger is more abnormal. NaN: `combined` of a model that is not
  /// calibrated; peak and feature_maps of one that does not work in tiles, patch_critic and patch_area of one without
  /// patch critics; relative_residual and relative_feature of one that works in tiles. The same bits as `pgad_infer
  /// score` writes for the same pixels, whatever else is inspected beside them and for any number of threads, on the
  /// same kind of processor.
  std::map<std::string, double> scores;
  /// The anomaly map at the picture's own size, [height][width], row by row: standard deviations of normal images
  /// (|x - G(z)|, 0 to 2, where the model is not calibrated). Empty if not asked for.
  std::vector<float> map;
  /// Where the map is high, the highest first. Empty where they are not looked for: without maps, or where the model
  /// has no threshold for them.
  std::optional<std::vector<Region>> regions;
  int height = 0;          ///< of the picture, and of the map
  int width = 0;           ///< the same
  int steps = 0;           ///< that the search took
  bool cancelled = false;  ///< by cancel(): there are no scores

  /// \throws UsageError if there is no such score.
  PGAD_API double score(const std::string& name) const;
};

using Ticket = std::uint64_t;  ///< names a submitted picture; never 0

/// How an Inspector is opened.
struct InspectorOptions {
  std::string device = "auto";  ///< "auto" (a GPU if there is one), "cpu", "cuda", "cuda:N"
  int threads = 0;              ///< of the CPU; 0: one per core
  bool maps = true;             ///< whether results have one, and regions
  /// Decides instead of the model's threshold, where the model is calibrated. NaN: the model's, at `false-reject-rate`.
  double threshold = std::numeric_limits<double>::quiet_NaN();
  /// That the peak of a region exceeds instead of the model's threshold, where the model is calibrated. NaN: the
  /// model's.
  double region_threshold = std::numeric_limits<double>::quiet_NaN();
  /// The scoring options of `pgad_infer score --help` by their names without dashes, e.g. {"steps", "200"},
  /// {"batch", "8"}: those not given are the model's. Also "precision" (fp32), "tuning" (no file), "max-pixels".
  std::map<std::string, std::string> more;
  /// Told of each picture under way, also of inspect()'s, after every step of its search: the share that is done, in
  /// [0, 1]. Called on the Inspector's own thread, which waits for it; must not throw, nor call the Inspector.
  std::function<void(Ticket, double share)> on_progress;
};

/// A model, ready to inspect. Where its device fails or memory is out, every call throws that from then on: open
/// another. Thread-safe, but for moving and destruction: other members may be called by any threads at once. Pictures
/// are searched on one thread of the Inspector's own (with as many helpers as `threads` says), at most `batch` of them
/// at once; a picture that is done makes room for the next. Several Inspectors may exist, of one model or of several.
class PGAD_API Inspector {
 public:
  /// \param model_file what pgad_train wrote.
  /// \param options where it computes and how.
  /// \throws UsageError for an option that is unknown or out of its range; Error for a file that is no model, for a
  ///     missing device or memory.
  explicit Inspector(const std::string& model_file, InspectorOptions options = {});
  /// Gives up what is under way, after the step that is being made.
  ~Inspector();
  /// The moved-from one can only be destroyed or assigned to.
  Inspector(Inspector&&) noexcept;
  /// Gives up what is under way here.
  Inspector& operator=(Inspector&&) noexcept;

  /// Inspects one picture and waits for it.
  /// \throws UsageError for a Picture that makes no sense, Error if it does not fit the model or has no finite scores,
  ///     std::bad_alloc.
  Result inspect(const Picture& picture);
  /// The same for several, searched together; results in their order. Throws for the first that fails.
  std::vector<Result> inspect(const std::vector<Picture>& pictures);

  /// Takes a picture up; its pixels are not looked at after the return. Waits while 4 times `batch` pictures wait;
  /// those that are done are kept, however many, until poll() hands them out.
  /// \throws as inspect(), but for scores that are not finite.
  Ticket submit(const Picture& picture);

  /// A submitted picture that is done.
  struct Finished {
    Ticket ticket;      ///< what submit() gave
    Result result;      ///< may be cancelled
    std::string error;  ///< why there is no result; empty otherwise
  };
  /// A submitted picture that is done, in the order in which they become so; each is handed out once.
  /// \param seconds to wait for one; 0: not at all. Returns at once where nothing is under way.
  std::optional<Finished> poll(double seconds = 0);

  /// Ends the search of a submitted picture, which poll() then hands out as cancelled, unless it is done already. False
  /// if it is, or if there is none.
  bool cancel(Ticket ticket);
  /// cancel() of all that are submitted.
  void cancel_all();

  /// Pictures that are submitted and not yet handed out.
  std::size_t pending() const;

  /// Prepares the searches of one picture and of several, so that the first ones do not wait for that.
  void warm_up();

  /// residual, feature, latent_critic, paper, critic, combined (docs/method.md).
  static const std::vector<std::string>& score_names();

  int side() const;            ///< of the square that the networks see, pixels
  int channels() const;        ///< that they see: 1 grey, 3 colour
  double threshold() const;    ///< of `combined`; NaN where there is none
  std::string device() const;  ///< what computes, in words
  /// What puts the scores in doubt, e.g. that few normal images were held out; as pgad_infer says it.
  std::vector<std::string> notes() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// "0.1.0"
PGAD_API const char* version();

}  // namespace pgad
