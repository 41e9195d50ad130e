// Which element of a matrix each lane's register holds in the tensor cores' instructions and in ldmatrix: the
// emulation, or a GPU (test_device.h), beside the tables of the PTX manual (golden/mma_fragments.txt). Emulation and
// kernels come from one reading of the manual: this test on a GPU is what confirms it.

#include "tests/cuda_fragments.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/golden_files.h"
#include "tests/test_device.h"

namespace pgad::test {
namespace {

using Place = std::pair<int, int>;    // row, column
using Fragment = std::vector<Place>;  // [lane * elements + element]

std::map<std::string, Fragment> read_fragments() {
  std::ifstream in(golden_file("mma_fragments.txt"));
  std::map<std::string, Fragment> fragments;
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream head(line);
    std::string name;
    int elements = 0;
    head >> name >> elements;
    Fragment& fragment = fragments[name];
    for (int i = 0; i < kLanes * elements; ++i) {
      Place place;
      char comma = 0;
      in >> place.first >> comma >> place.second;
      fragment.push_back(place);
    }
    std::getline(in, line);
    if (!in) throw Error(str("mma_fragments.txt: ", name, " ends too early"));
  }
  return fragments;
}

std::string name_of(std::size_t element, std::size_t elements) {
  return str("element ", element % elements, " of lane ", element / elements);
}

// At most five differences; `what` names a place.
void expect_equal(const std::vector<float>& got, const std::vector<float>& wanted,
                  const std::function<std::string(std::size_t)>& what) {
  ASSERT_EQ(got.size(), wanted.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (got[i] != wanted[i] && ++different <= 5) ADD_FAILURE() << what(i) << ": " << got[i] << " for " << wanted[i];
  EXPECT_EQ(different, 0u) << "of " << got.size();
}

class CudaFragments : public testing::Test {
 protected:
  void SetUp() override {
    golden_ = read_fragments();
    FragmentsArgs args{bf16_.data<float>(), tf32_.data<float>(), {}};
    for (std::size_t form = 0; form < kLdmatrixForms; ++form) args.ldmatrix[form] = ldmatrix_[form].data<float>();
    if (exec_.device().type == DeviceType::kCudaEmulated) return cuda_emulated::dump_fragments(exec_, args);
#ifdef PGAD_HAVE_CUDA
    cuda_native::dump_fragments(exec_, args);
#endif
  }

  // D of A's element 1 and B = 1, 2, ...: D's element in A's row and any column is the number of B's element in that
  // column whose row is A's column. So all three tables are seen, up to a renumbering of rows, of columns, or of the
  // inner dimension that they have in common; ldmatrix, seen directly, leaves none.
  void expect_product(const std::string& name, const Tensor& products, int k) {
    const Fragment &a = golden_.at(name + ".a"), &b = golden_.at(name + ".b"), &d = golden_.at(name + ".d");
    ASSERT_EQ(a.size(), static_cast<std::size_t>(16 * k));
    ASSERT_EQ(b.size(), static_cast<std::size_t>(8 * k));
    ASSERT_EQ(d.size(), 128u);
    std::map<Place, float> number;  // of B's elements
    for (const Place& place : b) number.emplace(place, static_cast<float>(number.size() + 1));
    ASSERT_EQ(number.size(), b.size()) << "an element of B twice";
    std::vector<float> wanted;
    for (const auto& [row, inner] : a)
      for (const auto& [d_row, column] : d) wanted.push_back(d_row == row ? number.at({inner, column}) : 0.f);
    expect_equal(exec_.read<float>(products), wanted, [&](std::size_t i) {
      return str(name, ", A's ", name_of(i / 128, a.size() / kLanes), ", D's ", name_of(i % 128, 4));
    });
  }

  Exec exec_{test_device(), 1};
  Tensor bf16_ = exec_.zeros({256, kLanes, 4}), tf32_ = exec_.zeros({128, kLanes, 4});
  std::array<Tensor, kLdmatrixForms> ldmatrix_ = {exec_.zeros({kLanes, 8}), exec_.zeros({kLanes, 8})};
  std::map<std::string, Fragment> golden_;
};

TEST_F(CudaFragments, MmaBf16) { expect_product("mma_m16n8k16_bf16", bf16_, 16); }
TEST_F(CudaFragments, MmaTf32) { expect_product("mma_m16n8k8_tf32", tf32_, 8); }

TEST_F(CudaFragments, Ldmatrix) {
  const char* const names[] = {"ldmatrix_x4", "ldmatrix_x4_trans"};
  for (std::size_t form = 0; form < kLdmatrixForms; ++form) {
    const Fragment& places = golden_.at(names[form]);
    std::vector<float> wanted;
    for (const auto& [row, column] : places) wanted.push_back(static_cast<float>(8 * row + column));
    expect_equal(exec_.read<float>(ldmatrix_[form]), wanted,
                 [&](std::size_t i) { return str(names[form], ", ", name_of(i, places.size() / kLanes)); });
  }
}

}  // namespace
}  // namespace pgad::test
