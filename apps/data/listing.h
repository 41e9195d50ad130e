#pragma once
// Directory listings, sorted bytewise so that no result depends on the file system's order. Hidden entries
// are left out; errors name the directory.

#include <string>
#include <vector>

namespace pgad {

bool is_directory(const std::string& path);  // follows links; false if missing
bool path_exists(const std::string& path);   // follows links

// Whether it ends in one of kImageEndings (image.h), in any case.
bool has_image_extension(const std::string& path);

// Names of the subdirectories.
std::vector<std::string> list_subdirectories(const std::string& directory);

// Names of the files that are no directories.
std::vector<std::string> list_files(const std::string& directory);

// Paths relative to `directory` of the image files below it, at any depth. A dangling link counts, so that it
// is reported when it is read.
std::vector<std::string> list_images(const std::string& directory);

// Whether list_images would find any; stops at the first.
bool contains_images(const std::string& directory);

// directory + "/" + name; name alone if directory is empty.
std::string join_path(const std::string& directory, const std::string& name);

}  // namespace pgad
