#pragma once
// Tables in CSV whose first line names the columns.

#include <map>
#include <string>
#include <vector>

namespace pgad {

struct Row {
  std::string where;                         // file and line, for messages
  std::map<std::string, std::string> cells;  // by the names of the first line, without spaces around them
};

// Blank lines are passed over; cells may be quoted, within a line. Throws DataError, naming file and line, where one of
// `columns` is missing or a line has another number of cells than the first.
std::vector<Row> read_csv(const std::string& path, const std::vector<std::string>& columns);

}  // namespace pgad
