#pragma once
// PGGAN's generator and discriminator (Karras et al., ICLR 2018, table 2), and an encoder made of the discriminator's
// layers.

#include "layers/network.h"

namespace pgad {

extern const Architecture kPggan;

}  // namespace pgad
