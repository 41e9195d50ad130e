#include "apps/options.h"

#include "engine/check.h"

namespace pgad {
namespace {

const char* type_name(const Field& field) {
  const nlohmann::json value = field.get(Config{});
  if (value.is_object()) return "NUMBER|MAP";
  if (value.is_number_integer()) return "INT";
  if (value.is_number() || value.is_null()) return "NUMBER";
  return field.expected == "a path" ? "PATH" : "WORD";
}

}  // namespace

void add_options(CLI::App& app, GivenOptions& given, const FieldList& fields, const Config& shown_defaults,
                 Naming naming) {
  for (const Field* field : fields) {
    const std::string name = option_name(*field, naming);
    CLI::Option* option = nullptr;
    if (field->is_flag) {
      const auto remember = [&given, field](std::int64_t count) {
        given.emplace_back(field, count > 0 ? "true" : "false");
      };
      option = app.add_flag_function(str("--", name, ",!--no-", name), remember, field->help);
    } else {
      const auto remember = [&given, field](const std::string& text) { given.emplace_back(field, text); };
      option =
          app.add_option_function<std::string>("--" + name, remember, str(field->help, " (", field->expected, ")"));
      option->type_name(type_name(*field));
      const bool from_model = naming == Naming::kShort && field->group != Group::kRun;
      const std::string shown = from_model ? "the model's" : value_text(*field, shown_defaults);
      if (!shown.empty()) option->default_str(shown);
    }
    option->group(group_title(field->group));
  }
}

}  // namespace pgad
