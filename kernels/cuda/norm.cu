// The joint 2-norm of many arrays, and their common factor. Contracts: reference/norm.py.
//
// On a GPU the floor is memory: the norm reads each number once, the scaling reads and writes it.

#include "common.cuh"
#include "rows.cuh"
#include "block.cuh"

// The sum of the squares of each block's elements, in float64: sums (blocks,). The host adds them up, in their order.
extern "C" __global__ void sum_of_squares(const place* addresses, const place* ends, integer rows, double* sums) {
    place stop = end_of_elements(ends, rows);
    double total = 0;
    for (place start = first_element(); start < stop;) {
        Stretch stretch(addresses, ends, rows, 1, start, stop);
        const number* array = stretch.column(0);
        for (place i = threadIdx.y; i < stretch.size; i += blockDim.y) total += (double)array[i] * array[i];
        start += stretch.size;
    }
    total = column_sum(total);
    if (threadIdx.y == 0) sums[blockIdx.x] = total;
}

extern "C" __global__ void scale_all(const place* addresses, const place* ends, integer rows, double factor) {
    place stop = end_of_elements(ends, rows);
    for (place start = first_element(); start < stop;) {
        Stretch stretch(addresses, ends, rows, 1, start, stop);
        number* array = stretch.column(0);
        for (place i = threadIdx.x; i < stretch.size; i += blockDim.x) array[i] *= (number)factor;
        start += stretch.size;
    }
}
