// Softmax and cross-entropy in one. Formulas and contracts: reference/cross_entropy.py and softmax.py.
//
// A warp has a row, the scores of one example: thread x of the warp has the classes x, x + 32, ... The warps of a block
// are its threads of one threadIdx.y. labels (N,), negative where ignored; weight (C,) may be null, for ones.

#include "common.cuh"
#include "block.cuh"
#include "warp.cuh"

__device__ number weight_of(const number* weight, integer c) { return weight == 0 ? 1 : weight[c]; }

// log_probabilities (N, C), and what each example costs: losses (N,).
extern "C" __global__ void softmax_cross_entropy(const number* logits, const long long* labels, const number* weight,
                                                 number* log_probabilities, number* losses, integer examples,
                                                 integer classes, double smoothing) {
    integer n = (integer)blockIdx.x * blockDim.y + threadIdx.y;
    if (n >= examples) return;  // all threads of the warp
    const number* scores = logits + n * classes;
    number* result = log_probabilities + n * classes;

    number largest = -INFINITE;  // which is subtracted first: no exponential can overflow. A NaN comes back by the sum
    for (integer c = threadIdx.x; c < classes; c += 32) largest = maximum(largest, scores[c]);
    largest = warp_maximum(largest);

    number sum = 0;
    for (integer c = threadIdx.x; c < classes; c += 32) sum += exp(scores[c] - largest);
    number log_sum = log(warp_sum(sum));

    integer label = (integer)labels[n];
    number of_label = 0, of_all = 0;  // w[y] -l[y], which one thread has, and sum of w[c] -l[c]
    for (integer c = threadIdx.x; c < classes; c += 32) {
        number l = scores[c] - largest - log_sum;
        result[c] = l;
        if (c == label) of_label = weight_of(weight, c) * -l;
        if (smoothing != 0) of_all += weight_of(weight, c) * -l;
    }
    of_label = warp_sum(of_label);
    of_all = warp_sum(of_all);
    if (threadIdx.x == 0) {
        number loss = (number)(1 - smoothing) * of_label;
        if (smoothing != 0) loss += (number)(smoothing / classes) * of_all;
        losses[n] = label < 0 ? 0 : loss;
    }
}

// The sum of w[y] over the examples that are not ignored, by one block of one column; total (1,).
extern "C" __global__ void __launch_bounds__(256)
cross_entropy_weights(const long long* labels, const number* weight, double* total, integer examples) {
    double sum = 0;
    for (integer n = threadIdx.y; n < examples; n += blockDim.y) {
        if (labels[n] >= 0) sum += weight_of(weight, (integer)labels[n]);
    }
    sum = column_sum(sum);
    if (threadIdx.y == 0) *total = sum;
}

// The sum of all losses, divided by `divisor` unless that is null, by one block of one column; loss (1,).
extern "C" __global__ void __launch_bounds__(256)
cross_entropy_sum(const number* losses, const double* divisor, number* loss, integer examples) {
    double sum = 0;
    for (integer n = threadIdx.y; n < examples; n += blockDim.y) sum += losses[n];
    sum = column_sum(sum);
    if (threadIdx.y == 0) *loss = (number)(divisor == 0 ? sum : sum / *divisor);
}

// grad_logits (N, C): with g[c] the gradient of the loss by the log-probability l[c], it is g[c] - exp(l[c]) sum(g).
// grad_output has a number for each example if `each`, else one for all; divisor (1,) may be null.
extern "C" __global__ void softmax_cross_entropy_backward(
    const number* grad_output, const number* log_probabilities, const long long* labels, const number* weight,
    const double* divisor, number* grad_logits, integer examples, integer classes, integer each, double smoothing) {
    integer n = (integer)blockIdx.x * blockDim.y + threadIdx.y;
    if (n >= examples) return;
    const number* l = log_probabilities + n * classes;
    number* result = grad_logits + n * classes;

    integer label = (integer)labels[n];
    number grad_loss = grad_output[each ? n : 0];
    if (divisor != 0) grad_loss /= (number)*divisor;
    number grad_all = label < 0 ? 0 : -(number)(smoothing / classes) * grad_loss;  // times w[c] for every class
    number grad_label = label < 0 ? 0 : -(number)(1 - smoothing) * grad_loss;      // times w[y] more for the label

    number sum = 0;
    for (integer c = threadIdx.x; c < classes; c += 32) {
        number g = smoothing != 0 ? grad_all * weight_of(weight, c) : 0;
        if (c == label) g += grad_label * weight_of(weight, c);
        result[c] = g;
        sum += g;
    }
    sum = warp_sum(sum);
    for (integer c = threadIdx.x; c < classes; c += 32) result[c] -= exp(l[c]) * sum;  // what this thread wrote itself
}
