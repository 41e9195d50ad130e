#pragma once
// The file of a Tuner's choices: JSON, by GPU, so that one file can serve several machines.

#include <string>

#include "kernels/tuner.h"

namespace pgad {

// Lets the Exec's tuner use the choices in `path` for its GPU, if the file exists, and measure what they lack. Nothing
// happens on the CPU or where path is empty. Throws Error for a file that is not one of these.
void load_tuning(Exec& exec, const std::string& path);
// Writes the choices back, beside those for other GPUs.
void save_tuning(Exec& exec, const std::string& path);
// All choices of a file as a table for people.
std::string tuning_table(const std::string& path);

}  // namespace pgad
