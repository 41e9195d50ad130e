/* Inspects a grey picture (PGM, 8 bits) with a model:  inspect model.safetensors picture.pgm */
#include <pgad/pgad.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: inspect MODEL PICTURE.pgm\n"), 2;

  /* Here a camera would be asked. */
  pgad_picture picture = {0};
  picture.channels = 1;
  int white = 0;
  FILE* file = fopen(argv[2], "rb");
  if (file == NULL || fscanf(file, "P5 %d %d %d%*c", &picture.width, &picture.height, &white) != 3 || white != 255)
    return fprintf(stderr, "%s: expected a binary PGM of 8 bits\n", argv[2]), 1;
  size_t size = (size_t)picture.width * (size_t)picture.height;
  unsigned char* pixels = malloc(size);
  if (pixels == NULL || fread(pixels, 1, size, file) != size) return fprintf(stderr, "%s: cut short\n", argv[2]), 1;
  fclose(file);
  picture.pixels = pixels;

  char* error = NULL;
  pgad_inspector* inspector = pgad_open(argv[1], NULL, &error);
  pgad_result* result = inspector != NULL ? pgad_inspect(inspector, &picture, &error) : NULL;
  if (result != NULL) {
    static const char* const words[] = {"normal", "anomalous", "undecided"};
    for (size_t i = 0; pgad_score_name(i) != NULL; ++i)
      printf("%s %.9g\n", pgad_score_name(i), pgad_result_score(result, pgad_score_name(i)));
    printf("decision %s\n", words[pgad_result_decision(result)]);
  } else {
    fprintf(stderr, "%s\n", error);
    pgad_free(error);
  }
  int status = result != NULL ? 0 : 1;
  pgad_result_destroy(result);
  pgad_close(inspector);
  free(pixels);
  return status;
}
