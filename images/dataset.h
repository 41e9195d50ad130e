#pragma once
// A data set on disk, recognised by its layout and split into what trains, what calibrates and what tests.
//
//   IDX files    <name>-images-idx3-ubyte[.gz] with labels; all pooled, train before t10k; needs normal_class
//   inspection   train/good, train/abnormal (optional), test/good, test/<defect>,
//                ground_truth/<defect>/<name>_mask.png (MVTec AD's layout plus train/abnormal), calibration/good and
//                calibration/abnormal (optional; masks as of train/abnormal)
//   classes      one folder per class (Caltech-256); needs normal_class, comma-separated folder names
//   flat         images in one folder: all normal, nothing to test on
//
// Invariants: the five lists are disjoint; each goes class by class, within a class in the order of the file
// names (bytewise) or of the IDX files; a new split depends on the names and counts of the images and on split_seed
// alone, not on platform or file system. A split that is remembered depends on each image's name alone.

#include <string>
#include <vector>

#include "images/data_config.h"
#include "images/preprocess.h"
#include "images/source.h"
#include "images/split.h"

namespace pgad {

enum class Layout { kIdx, kInspection, kClasses, kFlat };
const char* layout_name(Layout layout);

enum class Purpose {
  kTrain,     // train_normal must not be empty
  kEvaluate,  // test must hold normal and anomalous images; train/good may be missing
};

class Dataset {
 public:
  // IDX and classes: round(normal_fraction * n) of each normal class train, round(abnormal_fraction * n) of
  // every other class, with known_class of every class that it names, are known abnormals, the rest is the test set.
  // Inspection and flat: everything in its folder. Of the training normals, and of the known abnormals,
  // calibration_fraction (at least one of two or more, two of six or more known abnormals, at most calibration_images)
  // is taken out into calibration_*; none where images lie in calibration/. A fraction of 0 takes none.
  //
  // With a remembered split the images that it names train and calibrate, whatever the fractions are. Of the others,
  // those of IDX files and class folders are the test set, those below train/ and in flat folders are not used; an
  // image of test/ that it names is left out. Notes say, for kTrain, what the data have lost and gained since.
  //
  // Throws UsageError for options out of range, a normal class missing, unknown or given where none is used, and for a
  // class folder that is a data set itself; Error for a path that is missing, empty or without images, and for a kind
  // of image that `purpose` needs and is not there.
  static Dataset open(const DataConfig& config, Purpose purpose = Purpose::kTrain,
                      const RememberedSplit* remembered = nullptr);

  Layout layout = Layout::kFlat;
  std::vector<Sample> train_normal;
  std::vector<Sample> train_abnormal;  // known abnormals
  std::vector<Sample> calibration_normal;
  std::vector<Sample> calibration_abnormal;
  std::vector<Sample> test;        // both kinds, see Sample::anomalous
  std::vector<std::string> notes;  // what was found odd or left out, for the user
  LeftOut left_out;                // beside the images; `notes` tells of it too
  RememberedSplit split;           // of this data set: the remembered one, or what the lists say
  std::size_t known = 0;           // images that could be tested on but trained or calibrated, by a remembered split
  ImageSource source;

  Image load(const Sample& sample) const { return source.load(sample); }  // thread-safe

  // pad_small is decided here: IDX images are small and have a background, photographs do not. config.tiles must be
  // decided. The rest is how the source decodes.
  Preprocessing preprocessing(int resolution, int channels, const DataConfig& config) const;

  // Takes out of the test what trained or calibrated, by a split other than this data set's; returns how many images.
  std::size_t leave_out_of_test(const RememberedSplit& other);

  // Throws Error, naming the kind that is missing, unless test holds both.
  void require_both_kinds_in_test() const;
};

}  // namespace pgad
