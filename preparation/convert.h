#pragma once
// Data sets in the layouts that others use, made into inspection folders (docs/formats.md).
//
//   pairs    images and masks in one folder, of one stem (x.jpg, x.png) or with _mask, _label or _gt behind the mask's;
//            folders are kinds (magnetic tiles) unless most hold normal and defective images (KolektorSDD)
//   mvtec    train/good, test/KIND, ground_truth/KIND: MVTec AD, or a folder of several such
//   mvtec2   train/good, validation/good, test_public: MVTec AD 2, or a folder of several such
//   visa     split_csv/*.csv with the columns object, split, label, image, mask: VisA
//   classes  a folder for each class: Caltech-101
//   idx      IDX files of images with their labels: MNIST
//   coco     a JSON file with images, annotations and categories
//   voc      an XML file for each image with <object>, <name> and <bndbox>
//
// Where a layout does not say what trains and what tests, all is put into test/: pgad_data split divides it. pairs,
// coco and voc say it where all images lie in folders called test and train, val or valid.
//
// Masks made of annotations mark a pixel where its centre lies inside: boxes and polygons have the pixel (0, 0) between
// 0 and 1, polygons follow the even-odd rule, an image's annotations are united. Boxes of VOC count pixels from 1 and
// contain both ends. Coordinates are taken to mean the picture as it is seen, turned upright as EXIF says: pgad reads
// it so, most annotation tools show it so. Where sizes tell that a file's stored pixels were meant, that is an error.

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace pgad {

enum class SourceLayout { kAuto, kPairs, kMvtec, kMvtec2, kVisa, kClasses, kCoco, kVoc, kIdx };
inline constexpr std::array<const char*, 9> kSourceLayoutNames = {"auto",    "pairs", "mvtec", "mvtec2", "visa",
                                                                  "classes", "coco",  "voc",   "idx"};

struct ConvertOptions {
  std::string source, out;
  SourceLayout layout = SourceLayout::kAuto;
  // What is normal, comma-separated. idx: labels, required. pairs, classes: folders; empty: those whose last word is
  // good, ok, normal, free, sound or intact. coco, voc: categories whose annotations mark nothing anomalous; empty:
  // none.
  std::string normal;
  std::string object;       // mvtec, mvtec2, visa: which of several
  std::string annotations;  // visa: the CSV file, coco: the JSON file, voc: the folder of XML files; empty: found
  std::string images;       // coco, voc: the folder of the images; empty: found
  bool unannotated_normal = false;  // coco, voc: an image without a file or an entry is normal, else it is left out
  bool copy = false;                // else symbolic links to absolute paths
};

struct Converted {
  SourceLayout layout = SourceLayout::kAuto;
  std::map<std::string, long> images;  // "test/crack" -> count
  long masks = 0;
  std::vector<std::string> notes;  // for the user
};

// The layout of a folder by its structure. Throws UsageError that says what was looked for where nothing fits.
SourceLayout recognise(const std::string& source);

// Writes the inspection folder `out`, which must be missing or empty and lie outside the source; nothing of the source
// is changed. Names of files stay, but for those that are taken (a folder's name or a number is added), MVTec AD 2's
// validation images (validation_NAME, in train/good) and known defects (KIND_NAME). What does not fit a folder's name
// is replaced in kinds. Images are decoded only to draw their masks; those of IDX files are written as PNG
// (train_00017.png).
//
// Normal is: in pairs an image of a normal folder, and where folders are no kinds one whose mask is black or missing;
// in coco an image without annotations; in voc one whose XML has no object. The kind of an image that shows several is
// the category with the largest area. Masks are written anew where they hold labels: VisA's, and in pairs those of
// three to eight values, of which all above 0 is anomalous, or all above one half where most masks of the set have soft
// edges.
//
// Throws UsageError for options that do not fit; DataError, which names the file and the line or entry, for a source
// that is damaged, incomplete or ambiguous, or names files outside itself; Error where a file cannot be written or
// `stop` says so. The source is looked through before anything is written; an error after that says how much of `out`
// is there. `out`/description.json is written last: a folder without it is incomplete. Deterministic.
Converted convert_data(const ConvertOptions& options, const std::function<void(long done, long total)>& progress,
                       const std::function<bool()>& stop);

}  // namespace pgad
