#include "preparation/csv.h"

#include <algorithm>
#include <string_view>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "preparation/text.h"

namespace pgad {
namespace {

std::vector<std::string> csv_cells(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"')
      cells.back() += line[i++];
    else if (line[i] == '"')
      quoted = !quoted;
    else if (line[i] == ',' && !quoted)
      cells.emplace_back();
    else
      cells.back() += line[i];
  }
  for (std::string& cell : cells) cell = trimmed(cell);
  return cells;
}

}  // namespace

std::vector<Row> read_csv(const std::string& path, const std::vector<std::string>& columns) {
  std::string text = read_file(path);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // byte order mark
  std::vector<Row> rows;
  std::vector<std::string> names;
  long number = 0;
  for (const std::string& line : divided_at(text, '\n')) {
    ++number;
    if (trimmed(line).empty()) continue;
    const std::vector<std::string> cells = csv_cells(line);
    const std::string where = str("'", path, "', line ", number);
    if (names.empty()) {
      names = cells;
      for (const std::string& column : columns)
        if (std::ranges::find(names, column) == names.end())
          throw DataError(str(where, ": there is no column '", column, "'; expected ", joined(columns)));
      continue;
    }
    if (cells.size() != names.size())
      throw DataError(str(where, ": ", cells.size(), " cells; expected ", names.size(), ", as in the first line"));
    rows.push_back({where, {}});
    for (std::size_t i = 0; i < cells.size(); ++i) rows.back().cells[names[i]] = cells[i];
  }
  return rows;
}

}  // namespace pgad
