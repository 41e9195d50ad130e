#pragma once
// Where a Config comes from. Priority: preset < --config FILE.json < command line, whose options apps/options.h
// collects; resolve_config() lays the three over each other. A program that starts from a stored Config (resume,
// pgad_infer) uses resolve_config(stored, given) instead. All errors are UsageErrors that name the option or key, its
// value, and what was expected.

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "model/config.h"
#include "model/fields.h"

namespace pgad {

// kFull: every name as in the table. kShort: pgad_infer's, where nothing else is called gamma, batch or seed.
enum class Naming { kFull, kShort };

using FieldList = std::vector<const Field*>;
// Field (one of all_fields()) and the text given for it, in the order of the command line.
using GivenOptions = std::vector<std::pair<const Field*, std::string>>;

// The fields of these groups, then the fields with these (full) names.
FieldList select_fields(std::initializer_list<Group> groups, std::initializer_list<const char*> names = {});
// Throws UsageError naming the closest name if there is no such field.
const Field& find_field(const std::string& name);

const std::string& option_name(const Field& field, Naming naming);
// The field's value as it would be written on the command line.
std::string value_text(const Field& field, const Config& config);

// tiny: 32x32 in minutes on a laptop's CPU; small: 64x64; pggan: 1024x1024 RGB as published.
Config preset(const std::string& name);

// Preset (the given one, else the file's, else tiny), then the file, then the given options; validated, and
// score-gamma is a number. An empty file name: no file. Throws Error if the file cannot be read.
Config resolve_config(const GivenOptions& given, const std::string& config_file, Naming naming = Naming::kFull);
// The same over a stored configuration. A preset among the given options is refused: it is past choosing.
Config resolve_config(const Config& stored, const GivenOptions& given, Naming naming = Naming::kFull);

// A flat object whose keys are the full option names; keys left out keep the value of the preset that the
// object names (tiny if none). `source_name` is how errors call the object. Ranges of single values are
// checked, relations between values are not: see validate().
Config config_from_json(const nlohmann::json& json, const std::string& source_name);
// The same for the configuration that a model or checkpoint holds. Those of programs that did not know orientation and
// depth get the values by which they treated images: orientation left alone, 16 bits at full scale.
Config stored_config_from_json(const nlohmann::json& json, const std::string& source_name);
// Every field, so that later changes of defaults do not change what an old file means.
nlohmann::json config_to_json(const Config& config);

// Ranges and relations of all values.
void validate(const Config& config);

}  // namespace pgad
