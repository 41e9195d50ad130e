#pragma once
// Pieces of pages.

#include <string>
#include <string_view>

#include "images/image.h"
#include "inspection/scorer.h"
#include "model/model.h"

namespace pgad {

// Text as it may stand in HTML, between tags and in attributes in double quotes.
std::string html_text(std::string_view text);

// The image's longer side brought to at most so many pixels.
Image shrunk(const Image& image, int longest);

}  // namespace pgad
