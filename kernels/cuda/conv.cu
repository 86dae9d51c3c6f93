// Convolution with products and sums in the precision of the arrays: the kernels are in conv.cuh.

#include "common.cuh"
#include "window.cuh"
#include "gemm.cuh"
#define TILE Tile
#include "conv.cuh"
