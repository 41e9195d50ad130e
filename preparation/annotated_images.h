#pragma once
// Where the annotations of a data set and the images that they mean lie. Paths are looked for no deeper than three
// folders below the one given: links in loops end.

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "preparation/annotations.h"

namespace pgad {

// Files of this ending, relative to `folder`, sorted; none where it is no folder.
std::vector<std::string> files_below(const std::string& folder, const std::string& ending);

// The first of these subfolders that is there, whatever its capitals; empty if none is.
std::string subfolder(const std::string& folder, std::initializer_list<const char*> names);

// Where VOC's XML files lie: in Annotations, or beside the images.
std::string voc_folder(const std::string& source);

// The folder that holds the images which the file `json` names: `images` unless it is empty, else where all of them
// are, the file's own before others. Throws DataError where some are in none, UsageError where several have all.
std::string coco_images(const Coco& coco, const std::string& json, const std::string& source,
                        const std::string& images);

// Images by their names and by these without their endings, relative to their folder.
using ImagesByName = std::map<std::string, std::vector<std::string>>;
ImagesByName images_by_name(const std::string& folder);

// The image called like the XML file, else the one it names; of several the one that it names, and of these the one in
// the same subfolder. `images`: the folder, for errors. Throws DataError.
std::string voc_image(const Voc& voc, const ImagesByName& by_name, const std::string& images);

}  // namespace pgad
