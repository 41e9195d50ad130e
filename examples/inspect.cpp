// Inspects a grey picture (PGM, 8 bits) with a model:  inspect model.safetensors picture.pgm
#include <pgad/inspector.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: inspect MODEL PICTURE.pgm\n"), 2;
  try {
    // Here a camera would be asked.
    std::ifstream file(argv[2], std::ios::binary);
    std::string magic;
    int width = 0, height = 0, white = 0;
    if (!(file >> magic >> width >> height >> white) || magic != "P5" || white != 255)
      throw pgad::Error(std::string(argv[2]) + ": expected a binary PGM of 8 bits");
    file.get();
    std::vector<unsigned char> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
    if (!file.read(reinterpret_cast<char*>(pixels.data()), static_cast<std::streamsize>(pixels.size())))
      throw pgad::Error(std::string(argv[2]) + ": cut short");

    pgad::Inspector inspector(argv[1]);
    const pgad::Result result = inspector.inspect({pixels.data(), height, width, 1});
    for (const std::string& name : pgad::Inspector::score_names())
      std::printf("%s %.9g\n", name.c_str(), result.score(name));
    const char* const words[] = {"normal", "anomalous", "undecided"};
    std::printf("decision %s\n", words[static_cast<int>(result.decision)]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
