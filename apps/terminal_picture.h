#pragma once

#include <string>
#include <vector>

#include "images/image.h"

namespace pgad {

// Columns of the terminal on standard output; of COLUMNS, or 80, where it is none.
int terminal_width();
// Whether standard output is a terminal that shows 24-bit colours: not "dumb", and NO_COLOR (no-color.org) is not set.
bool terminal_has_colors();

// Images of one size side by side, as many as fit into `width` columns, one at least; as lines of text. In colour: half
// blocks of UTF-8, two pixels in the height of a character. Else by characters of growing weight, two columns a pixel.
std::string terminal_picture(const std::vector<Image>& images, int width, bool colors);

}  // namespace pgad
