// Depthwise convolution: every channel has kernels of its own. Contracts: reference/depthwise.py.
//
// Output channel o of C * M belongs to input channel o / M, M being the depth multiplier. Images lie channels-last,
// and so do the weights: taps (KH, KW, C * M), so that neighbouring threads read neighbouring numbers.

#include "common.cuh"
#include "block.cuh"
#include "window.cuh"

#define BATCH 16  // windows whose products are summed up in the dtype of the images, for the gradient of the weights

// Thread i makes output[i] of (N, OH, OW, C * M). bias (C * M,) may be null.
extern "C" __global__ void depthwise_conv2d(const number* x, const number* taps, const number* bias, number* output,
                                            integer images, integer channels, integer multiplier, AXIS(rows),
                                            AXIS(columns)) {
    Axis rows = AXIS_OF(rows), columns = AXIS_OF(columns);
    integer outputs = channels * multiplier;
    FOR_EACH(i, images * rows.count * columns.count * outputs) {
        integer o = i % outputs, window = i / outputs, c = o / multiplier;
        integer ow = window % columns.count, oh = window / columns.count % rows.count;
        integer n = window / columns.count / rows.count;
        number sum = bias == 0 ? 0 : bias[o];
        for (integer a = 0; a < rows.kernel; a++) {
            integer h = rows.pixel(oh, a);
            if (!rows.has(h)) continue;
            for (integer b = 0; b < columns.kernel; b++) {
                integer w = columns.pixel(ow, b);
                if (!columns.has(w)) continue;
                sum += x[((n * rows.size + h) * columns.size + w) * channels + c] *
                       taps[(a * columns.kernel + b) * outputs + o];
            }
        }
        output[i] = sum;
    }
}

// Thread i makes grad_x[i] of (N, H, W, C), from the windows that see its pixel, in all M outputs of its channel.
extern "C" __global__ void depthwise_conv2d_backward_input(const number* grad_output, const number* taps,
                                                           number* grad_x, integer images, integer channels,
                                                           integer multiplier, AXIS(rows), AXIS(columns)) {
    Axis rows = AXIS_OF(rows), columns = AXIS_OF(columns);
    integer outputs = channels * multiplier;
    FOR_EACH(i, images * rows.size * columns.size * channels) {
        integer c = i % channels, pixel = i / channels;
        integer w = pixel % columns.size, h = pixel / columns.size % rows.size;
        integer n = pixel / columns.size / rows.size;
        number sum = 0;
        for (integer oh = rows.first_window(h); oh < rows.end_of_windows(h); oh++) {
            integer a = rows.tap(oh, h);
            if (a < 0) continue;
            for (integer ow = columns.first_window(w); ow < columns.end_of_windows(w); ow++) {
                integer b = columns.tap(ow, w);
                if (b < 0) continue;
                const number* gradients = grad_output + ((n * rows.count + oh) * columns.count + ow) * outputs;
                const number* weights = taps + (a * columns.kernel + b) * outputs;
                for (integer o = c * multiplier; o < (c + 1) * multiplier; o++) sum += gradients[o] * weights[o];
            }
        }
        grad_x[i] = sum;
    }
}

// The gradient of the weights is a sum over all windows of all images, in two stages. First, blockIdx = (piece, tile):
// each block sums over a piece of the windows, for a tile of the output channels. Thread (x, y) has channel x of the
// tile and the windows y, y + blockDim.y, ... of the piece. sums (pieces, KH, KW, C * M).
// 4 blocks fit onto a multiprocessor: so each thread may have 64 registers, else the compiler keeps to 40 and spills.
extern "C" __global__ void __launch_bounds__(256, 4) depthwise_conv2d_backward_weight_pieces(
    const number* grad_output, const number* x, double* sums, integer piece, integer images, integer channels,
    integer multiplier, AXIS(rows), AXIS(columns)) {
    Axis rows = AXIS_OF(rows), columns = AXIS_OF(columns);
    integer outputs = channels * multiplier, o = (integer)blockIdx.y * blockDim.x + threadIdx.x, c = o / multiplier;
    integer first = blockIdx.x * piece, end = smaller(first + piece, images * rows.count * columns.count);
    integer taps = rows.kernel * columns.kernel;
    for (integer tap = 0; tap < taps; tap++) {
        integer a = tap / columns.kernel, b = tap % columns.kernel;
        double sum = 0;
        for (integer batch = first + threadIdx.y; batch < end && o < outputs; batch += BATCH * blockDim.y) {
            number part = 0;
            for (integer k = 0; k < BATCH; k++) {
                integer window = batch + k * blockDim.y;
                if (window >= end) break;
                integer h = rows.pixel(window / columns.count % rows.count, a);
                integer w = columns.pixel(window % columns.count, b);
                integer n = window / columns.count / rows.count;
                if (rows.has(h) && columns.has(w))
                    part += grad_output[window * outputs + o] *
                            x[((n * rows.size + h) * columns.size + w) * channels + c];
            }
            sum += part;
        }
        double total = column_sum(sum);
        if (threadIdx.y == 0 && o < outputs) sums[(blockIdx.x * taps + tap) * outputs + o] = total;
    }
}

// Second, thread i = (tap, o) adds up the pieces. grad_weight (C * M, KH * KW).
extern "C" __global__ void depthwise_conv2d_backward_weight(const double* sums, number* grad_weight, integer pieces,
                                                            integer taps, integer outputs) {
    FOR_EACH(i, taps * outputs) {
        double total = 0;
        for (integer piece = 0; piece < pieces; piece++) total += sums[piece * taps * outputs + i];
        grad_weight[i % outputs * taps + i / outputs] = (number)total;
    }
}
