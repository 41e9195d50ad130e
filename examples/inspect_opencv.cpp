// Inspects a picture that OpenCV reads and saves the heat map over it:  inspect_opencv MODEL PICTURE OUT.png
#include <pgad/inspector.h>

#include <iostream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

int main(int argc, char** argv) {
  if (argc != 4) return std::cerr << "usage: inspect_opencv MODEL PICTURE OUT.png\n", 2;
  try {
    const cv::Mat image = cv::imread(argv[2], cv::IMREAD_ANYCOLOR | cv::IMREAD_ANYDEPTH);
    if (image.empty()) throw pgad::Error(std::string(argv[2]) + ": OpenCV cannot read it");
    if (image.depth() != CV_8U && image.depth() != CV_16U) throw pgad::Error("expected 8 or 16 bits");
    pgad::Inspector inspector(argv[1]);
    pgad::Result r = inspector.inspect({image.data, image.rows, image.cols, image.channels(),
                                        static_cast<std::ptrdiff_t>(image.step),
                                        image.depth() == CV_8U ? pgad::Depth::k8 : pgad::Depth::k16,
                                        pgad::ChannelOrder::kBgr});
    // From 1 to 4.5 deviations of normal images, as pgad_infer's pictures.
    const cv::Mat map(r.height, r.width, CV_32F, r.map.data());
    cv::Mat heat, colours, base;
    map.convertTo(heat, CV_8U, 255 / 3.5, -255 / 3.5);
    cv::applyColorMap(heat, colours, cv::COLORMAP_INFERNO);
    image.convertTo(base, CV_8U, image.depth() == CV_8U ? 1 : 1 / 257.0);
    if (base.channels() == 1) cv::cvtColor(base, base, cv::COLOR_GRAY2BGR);
    cv::addWeighted(base, 0.5, colours, 0.5, 0, base);
    cv::imwrite(argv[3], base);
    std::cout << "combined " << r.score("combined") << "\n";
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
