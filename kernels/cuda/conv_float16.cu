// Convolution of float32 arrays on tensor cores. Factors are rounded to
// float16: a sign, 5 bits of exponent, 10 of fraction; beyond 65504 they become infinite, below 2^-14 they lose bits. Sums are float32. The kernels are in conv.cuh.

#define EXPONENT_BITS 5
#define FRACTION_BITS 10
#include "common.cuh"
#include "window.cuh"
#include "tensor_cores.cuh"
#include "gemm.cuh"
#define TILE TensorTile
#include "conv.cuh"
