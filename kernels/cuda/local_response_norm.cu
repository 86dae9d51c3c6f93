// Local response normalization across channels. Formulas and contracts: reference/local_response_norm.py.
//
// Images lie channels-last, so the window of a channel is a stretch of memory, cut off at the ends of its pixel. A
// block has 256 elements. What is summed up is made once for each of them and for those that the windows of the first
// and the last reach, and kept in shared memory: 256 + before + after numbers.
//
// On a GPU the floor is memory: forward reads one array and writes two, backward reads three and writes one.

#include "common.cuh"

// The sum over the window of this thread's element i. `terms` begins `before` elements before those of the block.
__device__ number sum_window(const number* terms, integer i, integer channels, integer before, integer after) {
    integer c = i % channels, first = larger(c - before, 0), end = smaller(c + after + 1, channels);
    number sum = 0;
    for (integer j = first; j < end; j++) sum += terms[threadIdx.x + before + j - c];
    return sum;
}

// scale^-beta; for the usual 3/4 from roots: s^-1/2 s^-1/4.
__device__ number negative_power(number scale, number beta) {
    if (beta != (number)0.75) return pow(scale, -beta);
    number root = 1 / sqrt(scale);
    return root * sqrt(root);
}

// For all elements that windows of this block's elements reach: `term` of element j goes to its place in `terms`.
#define FOR_EACH_REACHED(j, place, count, before, after)                                                   \
    for (integer place = threadIdx.x, j = (integer)blockIdx.x * blockDim.x + threadIdx.x - (before);       \
         place < (integer)blockDim.x + (before) + (after); place += blockDim.x, j += blockDim.x)           \
        if (j >= 0 && j < (count))

// Thread i makes output[i] and scale[i] of (N, H, W, C). factor: alpha / size.
extern "C" __global__ void local_response_norm(const number* x, number* output, number* scale, integer count,
                                               integer channels, integer before, integer after, double factor,
                                               double beta, double k) {
    DYNAMIC_SHARED(number, squares);
    FOR_EACH_REACHED(j, place, count, before, after) squares[place] = x[j] * x[j];
    __syncthreads();
    integer i = (integer)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    number s = (number)k + (number)factor * sum_window(squares, i, channels, before, after);
    scale[i] = s;
    output[i] = x[i] * negative_power(s, (number)beta);
}

// Thread i makes grad_x[i]. The windows are mirrored: `before` and `after` reach those that see the channel. factor:
// 2 alpha beta / size.
extern "C" __global__ void local_response_norm_backward(const number* grad_output, const number* x,
                                                        const number* scale, number* grad_x, integer count,
                                                        integer channels, integer before, integer after,
                                                        double factor, double beta) {
    DYNAMIC_SHARED(number, terms);
    FOR_EACH_REACHED(j, place, count, before, after)
        terms[place] = grad_output[j] * x[j] * negative_power(scale[j], (number)beta) / scale[j];
    __syncthreads();
    integer i = (integer)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    number through_scale = sum_window(terms, i, channels, before, after);
    grad_x[i] = grad_output[i] * negative_power(scale[i], (number)beta) - (number)factor * x[i] * through_scale;
}
