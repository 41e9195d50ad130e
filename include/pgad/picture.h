#pragma once
/// \file
/// Pixels in memory, for inspector.h.

#include <cstddef>
#include <cstdint>

namespace pgad {

/// How a value of a picture is stored, in the byte order of the machine.
enum class Depth {
  k8,      ///< std::uint8_t, 0 to 255
  k16,     ///< std::uint16_t, 0 to 65535, or as Picture::bits says
  kFloat,  ///< float, 0 to 1
};

/// Which colour comes first in a pixel of three or four values.
enum class ChannelOrder { kRgb, kBgr };

/// Pixels that belong to the caller; a view, which copies nothing. Rows lie one after another, top to bottom.
struct Picture {
  const void* pixels = nullptr;   ///< the first value of the top row; aligned as its type wants
  int height = 0;                 ///< pixels, at least 1
  int width = 0;                  ///< pixels, at least 1
  int channels = 1;               ///< 1: grey; 3: colour; 4: colour and alpha, which is left out
  std::ptrdiff_t row_stride = 0;  ///< bytes from one row to the next, negative where rows lie bottom up; 0: no gaps
  Depth depth = Depth::k8;        ///< of every value
  ChannelOrder order = ChannelOrder::kRgb;  ///< of three or four channels
  /// For Depth::k16: the number of bits that count, 9 to 16 (12: full brightness is 4095). 0: 16. Pictures of more than
  /// 8 bits must have as many as those that trained the model, if those had more than 8.
  int bits = 0;
};

}  // namespace pgad
