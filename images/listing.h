#pragma once
// Directory listings, sorted bytewise so that no result depends on the file system's order. Hidden entries, what
// systems leave in folders (Thumbs.db, desktop.ini, @eaDir, __MACOSX, lost+found, ...) and what pgad itself has written
// there are left out. Errors name the directory.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pgad {

bool is_directory(const std::string& path);  // follows links; false if missing
bool path_exists(const std::string& path);   // follows links

// ASCII letters in lower case.
std::string lower_case(std::string text);

// Whether it ends in one of kImageEndings (image.h), in any case.
bool has_image_extension(const std::string& path);

// Whether the listings below pass over this entry of a directory by its name: it is hidden, a system's or a result.
bool is_left_out(const std::string& directory, const std::string& name);

// What listings passed over, so that nothing goes uninspected without a word.
struct LeftOut {
  std::map<std::string, std::int64_t> files;  // no images, by ending: ".txt" (lower case), "other" without a plain one
  std::vector<std::string> folders;           // that could not be listed: "'path': reason"
  std::vector<std::string> results;           // folders where results of pgad lie, which are not read again
  std::vector<std::string> missing;           // "LIST:3: 'path' does not exist", of list_inputs

  void add(const LeftOut& other);
  // "12 .txt, 3 .gif": the most frequent first. Empty if there are none.
  std::string files_text() const;
  // Sentences for the user, at most 21 of a kind.
  std::vector<std::string> notes() const;
};

// Creates the directory like ensure_directory() and marks it as one that pgad writes results to: listings leave out the
// results in it. A mark that cannot be written is no error.
void ensure_output_directory(const std::string& path);

// In all of these, what is passed over is added to left_out where that is given. A directory that cannot be listed is
// then noted there, else an Error.

// Names of the subdirectories.
std::vector<std::string> list_subdirectories(const std::string& directory, LeftOut* left_out = nullptr);

// Names of the files that are no directories. left_out counts those that are no images.
std::vector<std::string> list_files(const std::string& directory, LeftOut* left_out = nullptr);

// Paths relative to `directory` of the image files below it, at any depth. A dangling link counts, so that it
// is reported when it is read. Links are followed, except to a directory that they lie in and, below a followed link,
// to one that was visited before: links in loops end.
std::vector<std::string> list_images(const std::string& directory, LeftOut* left_out = nullptr);

// "no images ... in the folder", and what it holds instead: the text of an error.
std::string no_images(const std::string& directory, const LeftOut& left_out);

// Whether list_images would find any; stops at the first. False for a directory that cannot be listed.
bool contains_images(const std::string& directory);

// directory + "/" + name; name alone if directory is empty.
std::string join_path(const std::string& directory, const std::string& name);

}  // namespace pgad
