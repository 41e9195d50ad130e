// make_report OUT COUNT embed|link: a report for tests/browser/report_test.py.

#include <cstdlib>
#include <cstring>

#include "images/atomic_file.h"
#include "tests/report_data.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  pgad::ensure_directory(argv[1]);
  pgad::test::write_report_of(
      argv[1], std::atoi(argv[2]),
      std::strcmp(argv[3], "link") == 0 ? pgad::ReportImages::kLink : pgad::ReportImages::kEmbed);
}
