#pragma once
// One image of a data set or of the command line, and how to load it, whether it is a file or lies within an
// IDX file.

#include <memory>
#include <string>
#include <vector>

#include "images/idx.h"
#include "images/ignore_mask.h"
#include "images/image.h"
#include "images/listing.h"

namespace pgad {

struct Sample {
  std::string name;   // unique within its list: path relative to the root, or "train-images:123"
  std::string path;   // file to open
  long index = -1;    // place within an IDX file, -1 for image files
  std::string group;  // class or defect folder; empty if unknown
  bool anomalous = false;
  std::string mask_path;                               // empty if there is none
  std::shared_ptr<const std::string> bytes = nullptr;  // the image file, where it is no file but lies in memory
};

// Loads samples; keeps each IDX file it has seen in memory, as bytes. Copies share that memory. Thread-safe.
class ImageSource {
 public:
  ImageSource();

  DecodeOptions options;                     // of the image files
  std::shared_ptr<const IgnoreMask> ignore;  // what it ignores is filled in every image; may be null

  // Throws Error as read_image, read_idx_images and fill_ignored do.
  Image load(const Sample& sample, std::vector<std::string>* notes = nullptr) const;

  std::shared_ptr<const IdxImages> idx(const std::string& path) const;

 private:
  struct Cache;
  std::shared_ptr<Cache> cache_;
};

// What `--input PATH...` means: image files (by content, whatever their extension), folders (the images below
// them; in a folder with *-images-idx3-ubyte[.gz] files, the images in those too), IDX image files, and lists: @FILE,
// or
// - for standard input, with one such path per line (relative to the current folder; blank lines are skipped). There is
// one sample for each path; a path given twice counts once, two links to a file do not. Names are relative to the
// folder if one folder is all there is, else the paths as given.
//
// A path in a list that does not exist is noted in left_out->missing and becomes a sample, whose reading fails. Throws
// Error for another missing path, for a list that cannot be read, is empty or of which nothing exists, and for a folder
// without images. `source`, if given, keeps the IDX files read on the way.
std::vector<Sample> list_inputs(const std::vector<std::string>& paths, const ImageSource* source = nullptr,
                                LeftOut* left_out = nullptr);

}  // namespace pgad
