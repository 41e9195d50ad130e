#pragma once
// A data set that is being laid out: an inspection folder (docs/formats.md) of links to images, or of copies.

#include <map>
#include <set>
#include <string>

namespace pgad {

class OutputFolder {
 public:
  // Throws UsageError unless `path` is missing or an empty folder; Error if it cannot be made. copy: else symbolic
  // links whose targets are absolute paths.
  OutputFolder(std::string path, bool copy);
  // The same UsageError, before work that would be lost.
  static void require_free(const std::string& path);
  // UsageError if `path` lies in `source` or is it.
  static void require_outside(const std::string& path, const std::string& source);

  // A name for `image` in `folder` that no other image there has: that of the file, with the folders it lies in before
  // it, or a number behind it, where that is taken. Two names that differ in their ending alone count as the same,
  // since they would share a mask.
  std::string name_for(const std::string& folder, const std::string& image);

  // `file` as `folder`/`name`. Throws Error, naming both.
  void add(const std::string& file, const std::string& folder, const std::string& name);
  // The path of an image that the caller writes; it counts as added.
  std::string place_image(const std::string& folder, const std::string& name);
  // `file` as the mask of the image `name`, as `folder`/<stem>_mask<ending>.
  void add_mask(const std::string& file, const std::string& folder, const std::string& name);
  // The path of a file in a folder that is made for it.
  std::string place(const std::string& folder, const std::string& name);

  const std::map<std::string, long>& images() const { return images_; }  // folder -> count, masks not among them
  long masks() const { return masks_; }

 private:
  void put(const std::string& file, const std::string& folder, const std::string& name);

  std::string path_;
  bool copy_;
  std::map<std::string, std::set<std::string>> stems_;
  std::map<std::string, long> images_;
  long masks_ = 0;
};

}  // namespace pgad
