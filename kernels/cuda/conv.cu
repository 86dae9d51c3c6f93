// Convolution and both of its gradients: matrix products whose left matrix is never written out. Contracts:
// reference/conv.py.
//
// im2col writes every window as a row of a matrix, (pixels, K) with K = taps * channels, and reads it again to
// multiply: KH * KW times the image, twice. Here a block gathers the piece of that matrix which it needs next straight
// from the image into shared memory ("implicit GEMM"; Chetlur et al., "cuDNN: efficient primitives for deep learning",
// 2014, section 3.3). The product is tiled twice: a block makes 128 x 64 numbers, and needs 128 + 64 numbers of each
// column of the one and row of the other matrix for 128 * 64 products; each of its 256 threads makes 8 x 4 of them in
// registers, and reads 8 + 4 numbers of shared memory for 32 products. So the work is bound by arithmetic, 2 * pixels
// * K * outputs floating-point operations, wherever K and the outputs are at least a few dozen.
//
// Groups are products of their own: blockIdx.z.

#include "common.cuh"

#define THREADS 256
#define BLOCKS (sizeof(number) + sizeof(integer) == 8 ? 2 : 1)  // among which a multiprocessor divides its registers
#define HIGH 128                          // rows of a tile: pixels; of the weights' gradient, numbers of a window
#define WIDE 64                           // columns of a tile: output channels
#define OWN_HIGH 8                        // of these, a thread has so many, next to each other
#define OWN_WIDE 4
#define DEEP (64 / (int)sizeof(number))   // how far along K a tile reaches; as many bytes for float and double
#define GAP 4                             // numbers between rows of shared memory, so that columns lie in other banks
#define SUMMANDS 128                      // products that are summed up before they are added to the rest: see total

// One axis of a correlation, see ../axis.py: window q of `count` lies at pixel first + q * step of the output, and its
// tap k reads the source pixel q * stride + offsets[k].
struct Axis {
    integer size, count, stride, first, step, taps;
    const int* offsets;
};
#define AXIS(name)                                                                                              \
    integer name##_size, integer name##_count, integer name##_stride, integer name##_first, integer name##_step, \
        integer name##_taps, const int* name##_offsets
#define AXIS_OF(name) \
    Axis{name##_size, name##_count, name##_stride, name##_first, name##_step, name##_taps, name##_offsets}

// Where the windows of a pixel begin: image * size of rows, row and column of the source; all taps miss the image where
// there is no such pixel.
struct Place {
    integer image_row, top, left;
};

__device__ Place place_of(integer pixel, integer pixels, const Axis& rows, const Axis& columns) {
    if (pixel >= pixels) return {0, -(1 << 29), 0};
    integer window = pixel / columns.count;
    return {window / rows.count * rows.size, window % rows.count * rows.stride, pixel % columns.count * columns.stride};
}

// The number of column k = (tap, channel) in the row of a window that begins at `place`; 0 outside of the image.
__device__ number gathered(const number* x, const Place& place, integer down, integer across, integer channel,
                           integer all_channels, const Axis& rows, const Axis& columns) {
    integer h = place.top + down, w = place.left + across;
    if (h < 0 || h >= rows.size || w < 0 || w >= columns.size) return 0;
    return x[((place.image_row + h) * columns.size + w) * all_channels + channel];
}

// Products of tiles: thread (y, x) of 16 x 16 adds to its 8 x 4 sums.
__device__ void multiply(const number (*left)[HIGH + GAP], const number (*right)[WIDE], number (*sums)[OWN_WIDE]) {
    unsigned y = threadIdx.x / (WIDE / OWN_WIDE) * OWN_HIGH, x = threadIdx.x % (WIDE / OWN_WIDE) * OWN_WIDE;
#pragma unroll
    for (int k = 0; k < DEEP; k++) {
        number a[OWN_HIGH], b[OWN_WIDE];
#pragma unroll
        for (int i = 0; i < OWN_HIGH; i++) a[i] = left[k][y + i];
#pragma unroll
        for (int j = 0; j < OWN_WIDE; j++) b[j] = right[k][x + j];
#pragma unroll
        for (int i = 0; i < OWN_HIGH; i++)
#pragma unroll
            for (int j = 0; j < OWN_WIDE; j++) sums[i][j] += a[i] * b[j];
    }
}

// A running sum of thousands of float loses digits with every addition, so sums of SUMMANDS products are added up on
// their own, and then to the total (Higham, "Accuracy and stability of numerical algorithms", 2002, section 4.2).
__device__ void add_to_total(number (*sums)[OWN_WIDE], number (*total)[OWN_WIDE]) {
#pragma unroll
    for (int i = 0; i < OWN_HIGH; i++)
#pragma unroll
        for (int j = 0; j < OWN_WIDE; j++) {
            total[i][j] += sums[i][j];
            sums[i][j] = 0;
        }
}

// The forward pass, and the gradient of the input. blockIdx = (tile of pixels, tile of output channels, group).
// x (N, H, W, G * channels), weights (G, taps, channels, outputs), bias (G * outputs,) or null,
// output (N, height, width, G * outputs), of which the pixels of the axes are written: max(sum + bias, floor), and if
// add_to is not 0, what is there already is added.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv2d_correlate(
    const number* x, const number* weights, const number* bias, number* output, integer images, integer groups,
    integer channels, integer outputs, integer height, integer width, integer add_to, double floor, AXIS(rows),
    AXIS(columns)) {
    __shared__ __align__(16) number left[2][DEEP][HIGH + GAP];
    __shared__ __align__(16) number right[2][DEEP][WIDE];
    __shared__ Place places[HIGH];
    Axis rows = AXIS_OF(rows), columns = AXIS_OF(columns);
    integer pixels = images * rows.count * columns.count, depth = rows.taps * columns.taps * channels;
    integer first_pixel = (integer)blockIdx.x * HIGH, first_output = (integer)blockIdx.y * WIDE, group = blockIdx.z;
    integer thread = threadIdx.x;

    for (integer i = thread; i < HIGH; i += THREADS) places[i] = place_of(first_pixel + i, pixels, rows, columns);
    __syncthreads();

    // What a thread fetches of the next tiles: neighbours in K, which are channels of one pixel, and of the weights
    // neighbouring outputs, so that threads of a warp read neighbouring numbers.
    number of_left[HIGH * DEEP / THREADS], of_right[WIDE * DEEP / THREADS];
    auto fetch = [&](integer start) {
        integer k = start + thread % DEEP, tap = k / channels, channel = group * channels + k % channels;
        bool exists = k < depth;
        integer down = exists ? rows.offsets[tap / columns.taps] : 0;
        integer across = exists ? columns.offsets[tap % columns.taps] : 0;
#pragma unroll
        for (int i = 0; i < HIGH * DEEP / THREADS; i++) {
            const Place& place = places[thread / DEEP + i * (THREADS / DEEP)];
            of_left[i] = exists ? gathered(x, place, down, across, channel, groups * channels, rows, columns) : 0;
        }
        integer o = first_output + thread % WIDE;
#pragma unroll
        for (int i = 0; i < WIDE * DEEP / THREADS; i++) {
            integer row = start + thread / WIDE + i * (THREADS / WIDE);
            of_right[i] = row < depth && o < outputs ? weights[(group * depth + row) * outputs + o] : 0;
        }
    };
    auto store = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < HIGH * DEEP / THREADS; i++)
            left[buffer][thread % DEEP][thread / DEEP + i * (THREADS / DEEP)] = of_left[i];
#pragma unroll
        for (int i = 0; i < WIDE * DEEP / THREADS; i++)
            right[buffer][thread / WIDE + i * (THREADS / WIDE)][thread % WIDE] = of_right[i];
    };

    number sums[OWN_HIGH][OWN_WIDE] = {}, total[OWN_HIGH][OWN_WIDE] = {};
    fetch(0);
    store(0);
    __syncthreads();
    for (integer start = 0; start < depth; start += DEEP) {
        // The next tiles are on their way from memory while these are multiplied, and go into the other buffer, which
        // nobody has read since the last barrier: one barrier is enough.
        int buffer = start / DEEP % 2;
        if (start + DEEP < depth) fetch(start + DEEP);
        multiply(left[buffer], right[buffer], sums);
        if ((start + DEEP) % SUMMANDS == 0) add_to_total(sums, total);
        if (start + DEEP < depth) store(1 - buffer);
        __syncthreads();
    }
    add_to_total(sums, total);

    integer y = thread / (WIDE / OWN_WIDE) * OWN_HIGH, o = first_output + thread % (WIDE / OWN_WIDE) * OWN_WIDE;
#pragma unroll
    for (int i = 0; i < OWN_HIGH; i++) {
        integer pixel = first_pixel + y + i;
        if (pixel >= pixels) break;
        integer q = pixel % columns.count, p = pixel / columns.count % rows.count;
        integer n = pixel / columns.count / rows.count;
        number* made = output + ((n * height + rows.first + p * rows.step) * width + columns.first + q * columns.step) *
                                    (groups * outputs) + group * outputs;
#pragma unroll
        for (int j = 0; j < OWN_WIDE; j++) {
            if (o + j >= outputs) break;
            number value = total[i][j] + (bias == 0 ? 0 : bias[group * outputs + o + j]);
            if (value < (number)floor) value = (number)floor;
            made[o + j] = add_to != 0 ? made[o + j] + value : value;
        }
    }
}

// The gradient of the weights is a sum over all pixels, in two stages. First, blockIdx = (tile of K, tile of output
// channels and piece of the pixels, group): each block sums over a piece. K = (tap, channel).
// grad_output (N, OH, OW, G * outputs), x as above, sums (pieces, G, K, outputs).
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv2d_backward_weight_pieces(
    const number* grad_output, const number* x, number* sums_of_pieces, integer piece, integer images, integer groups,
    integer channels, integer outputs, AXIS(rows), AXIS(columns)) {
    __shared__ __align__(16) number left[2][DEEP][HIGH + GAP];
    __shared__ __align__(16) number right[2][DEEP][WIDE];
    __shared__ Place places[2][DEEP];
    Axis rows = AXIS_OF(rows), columns = AXIS_OF(columns);
    integer pixels = images * rows.count * columns.count, depth = rows.taps * columns.taps * channels;
    integer tiles = divide_up(outputs, WIDE), group = blockIdx.z, thread = threadIdx.x;
    integer first = blockIdx.y / tiles * piece, end = smaller(first + piece, pixels);
    integer first_k = (integer)blockIdx.x * HIGH, first_output = blockIdx.y % tiles * WIDE;

    // A thread gathers one column of the windows: always the same tap and channel.
    integer k = first_k + thread % HIGH, tap = k / channels, channel = group * channels + k % channels;
    bool exists = k < depth;
    integer down = exists ? rows.offsets[tap / columns.taps] : 0;
    integer across = exists ? columns.offsets[tap % columns.taps] : 0;

    auto find_places = [&](integer start, int buffer) {
        if (thread < DEEP) places[buffer][thread] = place_of(start + thread, end, rows, columns);
    };
    number of_left[HIGH * DEEP / THREADS], of_right[WIDE * DEEP / THREADS];
    auto fetch = [&](integer start, int buffer) {
#pragma unroll
        for (int i = 0; i < HIGH * DEEP / THREADS; i++) {
            const Place& place = places[buffer][thread / HIGH + i * (THREADS / HIGH)];
            of_left[i] = exists ? gathered(x, place, down, across, channel, groups * channels, rows, columns) : 0;
        }
        integer o = first_output + thread % WIDE;
#pragma unroll
        for (int i = 0; i < WIDE * DEEP / THREADS; i++) {
            integer pixel = start + thread / WIDE + i * (THREADS / WIDE);
            of_right[i] = pixel < end && o < outputs ? grad_output[(pixel * groups + group) * outputs + o] : 0;
        }
    };
    auto store = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < HIGH * DEEP / THREADS; i++)
            left[buffer][thread / HIGH + i * (THREADS / HIGH)][thread % HIGH] = of_left[i];
#pragma unroll
        for (int i = 0; i < WIDE * DEEP / THREADS; i++)
            right[buffer][thread / WIDE + i * (THREADS / WIDE)][thread % WIDE] = of_right[i];
    };

    number sums[OWN_HIGH][OWN_WIDE] = {}, total[OWN_HIGH][OWN_WIDE] = {};
    find_places(first, 0);
    find_places(first + DEEP, 1);
    __syncthreads();
    fetch(first, 0);
    store(0);
    __syncthreads();
    for (integer start = first; start < end; start += DEEP) {
        int buffer = (start - first) / DEEP % 2;
        if (start + DEEP < end) fetch(start + DEEP, 1 - buffer);
        find_places(start + 2 * DEEP, buffer);
        multiply(left[buffer], right[buffer], sums);
        if ((start - first + DEEP) % SUMMANDS == 0) add_to_total(sums, total);
        if (start + DEEP < end) store(1 - buffer);
        __syncthreads();
    }
    add_to_total(sums, total);

    integer y = first_k + thread / (WIDE / OWN_WIDE) * OWN_HIGH;
    integer o = first_output + thread % (WIDE / OWN_WIDE) * OWN_WIDE;
    number* made = sums_of_pieces + (blockIdx.y / tiles * groups + group) * depth * outputs;
#pragma unroll
    for (int i = 0; i < OWN_HIGH; i++)
#pragma unroll
        for (int j = 0; j < OWN_WIDE; j++)
            if (y + i < depth && o + j < outputs) made[(y + i) * outputs + o + j] = total[i][j];
}

// Second, thread i = (group, tap, channel, output) adds up the pieces. grad_weight (G * outputs, channels, taps).
extern "C" __global__ void conv2d_backward_weight(const number* sums, number* grad_weight, integer pieces,
                                                  integer groups, integer taps, integer channels, integer outputs) {
    integer count = groups * taps * channels * outputs;
    FOR_EACH(i, count) {
        double total = 0;
        for (integer piece = 0; piece < pieces; piece++) total += sums[piece * count + i];
        integer o = i % outputs, c = i / outputs % channels, tap = i / outputs / channels % taps;
        integer group = i / outputs / channels / taps;
        grad_weight[((group * outputs + o) * channels + c) * taps + tap] = (number)total;
    }
}
