#pragma once
/* What the shared library shows. All else in it is hidden. */

#define PGAD_API __attribute__((visibility("default")))
