#pragma once
// The only header of a kernel file for CUDA. The file is compiled twice: by nvcc, and by the host's compiler for the
// emulator; it reads as plain CUDA except for this:
//
//   SIMT_SHARED(float, tile, [2][8][64]);   instead of __shared__ float tile[2][8][64]; 16-byte aligned
//   simt::launch("name", kernel, grid, block, stream, arguments...)     instead of <<< >>>
//   simt::load4, simt::store4               instead of dereferencing a cast to float4*
//   ptx::...                                instead of inline assembly
//
// and everything in it lies in `namespace pgad::PGAD_CUDA_NAMESPACE`, for a program may link both versions. Every
// default argument of type Site is the caller's place, for messages.

#if defined(__CUDACC__)
#define PGAD_CUDA_NAMESPACE cuda_native
#include "simt/native.h"
#else
#define PGAD_CUDA_NAMESPACE cuda_emulated
#include "simt/emulated.h"
#endif
#include "simt/launch.h"
#include "simt/ptx.h"
