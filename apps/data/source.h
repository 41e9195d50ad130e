#pragma once
// One image of a data set or of the command line, and how to load it, whether it is a file or lies within an
// IDX file.

#include <memory>
#include <string>
#include <vector>

#include "apps/data/idx.h"
#include "apps/data/image.h"

namespace pgad {

struct Sample {
  std::string name;   // unique within its list: path relative to the root, or "train-images:123"
  std::string path;   // file to open
  long index = -1;    // place within an IDX file, -1 for image files
  std::string group;  // class or defect folder; empty if unknown
  bool anomalous = false;
  std::string mask_path;  // empty if there is none
};

// Loads samples; keeps each IDX file it has seen in memory, as bytes. Copies share that memory. Thread-safe.
class ImageSource {
 public:
  ImageSource();

  DecodeOptions options;  // of the image files

  // Throws Error as read_image and read_idx_images do.
  Image load(const Sample& sample, std::vector<std::string>* notes = nullptr) const;

  std::shared_ptr<const IdxImages> idx(const std::string& path) const;

 private:
  struct Cache;
  std::shared_ptr<Cache> cache_;
};

// What `--input PATH...` means: image files (by content, whatever their extension), folders (the images below
// them; in a folder with *-images-idx3-ubyte[.gz] files, the images in those too), IDX image files. A file
// met twice is listed once. Names are relative to the folder if one folder is all there is, else the paths as
// given. Throws Error for a missing path or a folder without images. `source`, if given, keeps the IDX files
// read on the way.
std::vector<Sample> list_inputs(const std::vector<std::string>& paths, const ImageSource* source = nullptr);

}  // namespace pgad
