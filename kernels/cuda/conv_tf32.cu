// Convolution of float32 arrays on tensor cores. Factors are rounded to
// TF32: a sign, 8 bits of exponent, 10 of fraction. Sums are float32. The kernels are in conv.cuh.

#define EXPONENT_BITS 8
#define FRACTION_BITS 10
#include "common.cuh"
#include "window.cuh"
#include "tensor_cores.cuh"
#include "gemm.cuh"
#define TILE TensorTile
#include "conv.cuh"
