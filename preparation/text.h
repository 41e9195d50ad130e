#pragma once
// Names, paths and messages, for the readers of layouts.

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/check.h"
#include "images/listing.h"
#include "images/printable.h"

namespace pgad {

inline std::string stem_of(const std::string& path) { return path.substr(0, path.rfind('.')); }
inline std::string ending_of(const std::string& path) {
  return lower_case(std::filesystem::path(path).extension().string());
}
inline std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }
inline std::string folder_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

inline std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

inline std::vector<std::string> divided_at(std::string_view text, char separator) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == separator) words.emplace_back();
    if (c != separator) words.back() += c;
  }
  return words;
}

template <class Words>
inline std::string joined(const Words& words) {
  std::string text;
  std::size_t n = 0;
  for (const std::string& word : words)
    if (++n <= 20) text += str(n > 1 ? ", '" : "'", word, "'");
  return n > 20 ? str(text, ", ... (", n, " in all)") : text;
}

// For messages: a value as it stands in the file, not all of a long one.
inline std::string shortened(std::string text) {
  if (text.size() > 60) text.replace(57, std::string::npos, "...");
  return printable(text);
}

// The names of an option, each among `available`.
inline std::set<std::string> names_of(const char* option, const std::string& text,
                                      const std::vector<std::string>& available) {
  std::set<std::string> names;
  if (text.empty()) return names;
  for (const std::string& word : divided_at(text, ',')) {
    const std::string name = trimmed(word);
    if (std::ranges::find(available, name) == available.end())
      throw UsageError(str(option, ": '", name, "' is not there; expected some of ", joined(available)));
    names.insert(name);
  }
  return names;
}

// Good, ok and their like as the last word; not "not_ok" and "no_good".
inline bool sounds_normal(const std::string& folder) {
  std::string spaced = lower_case(folder);
  std::ranges::replace_if(
      spaced, [](char c) { return c == '-' || c == ' '; }, '_');
  const std::vector<std::string> words = divided_at(spaced, '_');
  const auto is_one_of = [](const std::string& word, std::initializer_list<const char*> list) {
    return std::ranges::find(list, word) != list.end();
  };
  return is_one_of(words.back(), {"good", "ok", "normal", "free", "sound", "intact"}) &&
         (words.size() < 2 || !is_one_of(words[words.size() - 2], {"not", "no", "non", "un"}));
}

// Train, test, val, valid, validation: what is done with the images, not what they show.
inline bool is_split(const std::string& folder) {
  const std::string name = lower_case(folder);
  return name == "train" || name == "test" || name.starts_with("val");
}

inline std::vector<std::string> images_directly_in(const std::string& folder) {
  std::vector<std::string> names = list_files(folder);
  std::erase_if(names, [](const std::string& name) { return !has_image_extension(name); });
  return names;
}

// A value in a file that is not what was expected there.
[[noreturn]] inline void fail_value(const std::string& where, const std::string& what, const std::string& value,
                                    const std::string& expected) {
  throw DataError(str(where, ": ", what, " is ", shortened(value), "; expected ", expected));
}

}  // namespace pgad
