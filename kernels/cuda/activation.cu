// ReLU. Contracts: reference/activation.py. Thread i makes element i of arrays that lie alike in memory.

#include "common.cuh"

extern "C" __global__ void relu(const number* x, number* output, integer count) {
    FOR_EACH(i, count) output[i] = x[i] <= 0 ? 0 : x[i];  // NaN stays NaN
}

extern "C" __global__ void relu_backward(const number* grad_output, const number* output, number* grad_x,
                                         integer count) {
    FOR_EACH(i, count) grad_x[i] = output[i] <= 0 ? 0 : grad_output[i];
}
