#include "report/html_report.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "images/atomic_file.h"
#include "report/html.h"
#include "tests/report_data.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

namespace fs = std::filesystem;

nlohmann::json data_of(const std::string& page) {
  const std::string mark = "const D=";
  const std::size_t begin = page.find(mark) + mark.size(), end = page.find(";\n", begin);
  return nlohmann::json::parse(page.substr(begin, end - begin));
}

TEST(HtmlReport, HoldsAllRowsTheWorstFirstAndTheirPictures) {
  const TempDir dir;
  write_report_of(dir.path(), 30, ReportImages::kEmbed);
  EXPECT_FALSE(fs::exists(dir / "report"));
  const std::string page = read_file(dir / "report.html");
  const auto data = data_of(page);
  ASSERT_EQ(data["rows"].size(), 30u);
  EXPECT_EQ(data["rows"][0][4], "<b>cut off</b>");  // what could not be read comes first
  double last = std::numeric_limits<double>::infinity();
  int pictures = 0;
  bool nasty = false;
  for (const auto& row : data["rows"]) {
    nasty = nasty || row[0] == kNastyName;
    if (row[5].is_null()) continue;
    EXPECT_LE(row[5][kCombined].get<double>(), last);
    last = row[5][kCombined];
    EXPECT_EQ(row[3], last > 1.5 ? "anomalous" : "normal");
    const std::string id = "id=\"p" + row[8].get<std::string>() + "\">";
    const std::size_t at = page.find(id);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(page.find(id, at + 1), std::string::npos);
    EXPECT_EQ(page.substr(at + id.size(), 4), "/9j/");  // a JPEG's first bytes
    ++pictures;
  }
  EXPECT_EQ(pictures, 29);
  EXPECT_TRUE(nasty);
  // Nothing of a name is markup.
  EXPECT_EQ(page.find("<script>document"), std::string::npos);
  EXPECT_EQ(page.find("<img src=x"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find("http:"), page.find("http://www.w3.org/2000/svg"));  // a name, not an address
  EXPECT_EQ(page.find("https:"), std::string::npos);
}

TEST(HtmlReport, LinkedPicturesStayBesideIt) {
  const TempDir dir;
  write_report_of(dir.path(), 8, ReportImages::kLink);
  const auto data = data_of(read_file(dir / "report.html"));
  int pictures = 0;
  for (const auto& row : data["rows"]) {
    if (row[8] == "") continue;
    for (const char* part : {"image", "map", "reconstruction"})
      EXPECT_EQ(read_image(dir / ("report/" + row[8].get<std::string>() + "." + part + ".jpg")).height, 16);
    ++pictures;
  }
  EXPECT_EQ(pictures, 7);
  EXPECT_LT(fs::file_size(dir / "report.html"), 60'000u);
}

TEST(Html, TextIsEscaped) { EXPECT_EQ(html_text("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"); }

TEST(Jpeg, WhatIsWrittenIsReadBack) {
  for (const int channels : {1, 3}) {
    Image image{20, 31, channels, {}};
    for (int i = 0; i < 20 * 31 * channels; ++i)
      image.pixels.push_back(0.5f + 0.4f * std::sin(static_cast<float>(i / channels % 31) / 5));
    image.pixels[0] = 2;
    image.pixels[1] = std::nanf("");
    const Image back = decode_image(encode_jpeg(image, 95, "x"), "x");
    ASSERT_EQ(back.channels, channels);
    ASSERT_EQ(back.height, 20);
    ASSERT_EQ(back.width, 31);
    double sum = 0;
    for (std::size_t i = 100; i < image.size(); ++i) sum += std::fabs(back.pixels[i] - image.pixels[i]);
    EXPECT_LT(sum / static_cast<double>(image.size()), 0.02);
  }
}

}  // namespace
}  // namespace pgad::test
