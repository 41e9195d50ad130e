#pragma once
// Pieces of pages.

#include <string>
#include <string_view>

#include "images/image.h"

namespace pgad {

// Text as it may stand in HTML, between tags and in attributes in double quotes.
std::string html_text(std::string_view text);

// JSON as it may stand within a script of HTML: nothing in it ends the script.
std::string script_text(std::string_view json);
// A page of pages.h with its data.
std::string with_data(std::string_view page, std::string_view data);
std::string base64(std::string_view bytes);

// The image's longer side brought to at most so many pixels.
Image shrunk(const Image& image, int longest);

}  // namespace pgad
