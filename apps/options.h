#pragma once
// The command line as a list of the options that were really given, for resolve_config():
//
//   CLI::App app;  GivenOptions given;  std::string file;
//   add_options(app, given, select_fields({Group::kNetwork, ...}), preset("tiny"));
//   app.add_option("--config", file);
//   app.parse(argc, argv);
//   const Config config = resolve_config(given, file);

#include <CLI/App.hpp>

#include "model/config_io.h"

namespace pgad {

// Adds an option per field; parsing appends what was given to `given`, which must outlive the app. The help shows
// values of `shown_defaults`; with short names, which lie over a model's configuration, only those of the run group.
void add_options(CLI::App& app, GivenOptions& given, const FieldList& fields, const Config& shown_defaults,
                 Naming naming = Naming::kFull);

}  // namespace pgad
