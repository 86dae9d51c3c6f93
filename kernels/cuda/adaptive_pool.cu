// Adaptive and global average pooling. Contracts: reference/adaptive_pool.py.
//
// Of `count` windows over `size` pixels, window o has the pixels floor(o size / count) <= p < ceil((o + 1) size /
// count), and pixel p is in the windows floor(p count / size) <= o < ceil((p + 1) count / size): the same rule,
// exchanged.

#include "common.cuh"
#include "block.cuh"

__device__ integer window_start(integer window, integer size, integer count) { return window * size / count; }

__device__ integer window_end(integer window, integer size, integer count) {
    return divide_up((window + 1) * size, count);
}

// Thread i makes output[i] of (N, OH, OW, C).
extern "C" __global__ void adaptive_avg_pool2d(const number* x, number* output, integer images, integer channels,
                                               integer height, integer width, integer out_height, integer out_width) {
    FOR_EACH(i, images * out_height * out_width * channels) {
        integer c = i % channels, window = i / channels;
        integer ow = window % out_width, oh = window / out_width % out_height, n = window / out_width / out_height;
        integer top = window_start(oh, height, out_height), bottom = window_end(oh, height, out_height);
        integer left = window_start(ow, width, out_width), right = window_end(ow, width, out_width);
        number sum = 0;
        for (integer h = top; h < bottom; h++)
            for (integer w = left; w < right; w++) sum += x[((n * height + h) * width + w) * channels + c];
        output[i] = sum / (number)((bottom - top) * (right - left));
    }
}

// Thread i makes grad_x[i] of (N, H, W, C): the sum of the shares of the windows that its pixel is in.
extern "C" __global__ void adaptive_avg_pool2d_backward(const number* grad_output, number* grad_x, integer images,
                                                        integer channels, integer height, integer width,
                                                        integer out_height, integer out_width) {
    FOR_EACH(i, images * height * width * channels) {
        integer c = i % channels, pixel = i / channels;
        integer w = pixel % width, h = pixel / width % height, n = pixel / width / height;
        integer end_h = window_end(h, out_height, height), end_w = window_end(w, out_width, width);
        number sum = 0;
        for (integer oh = window_start(h, out_height, height); oh < end_h; oh++) {
            integer row_pixels = window_end(oh, height, out_height) - window_start(oh, height, out_height);
            for (integer ow = window_start(w, out_width, width); ow < end_w; ow++) {
                integer column_pixels = window_end(ow, width, out_width) - window_start(ow, width, out_width);
                number gradient = grad_output[((n * out_height + oh) * out_width + ow) * channels + c];
                sum += gradient / (number)(row_pixels * column_pixels);
            }
        }
        grad_x[i] = sum;
    }
}

// The mean of all pixels of an image, for the channels of one tile: blockIdx = (image, tile). Thread (x, y) sums
// channel x of the tile over the pixels y, y + blockDim.y, ... x (N, pixels, C), output (N, C). Sums are kept in
// double.
extern "C" __global__ void __launch_bounds__(256)
global_avg_pool2d(const number* x, number* output, integer pixels, integer channels) {
    integer c = (integer)blockIdx.y * blockDim.x + threadIdx.x, n = blockIdx.x;
    double sum = 0;
    for (integer pixel = threadIdx.y; pixel < pixels && c < channels; pixel += blockDim.y)
        sum += x[(n * pixels + pixel) * channels + c];
    sum = column_sum(sum);
    if (threadIdx.y == 0 && c < channels) output[n * channels + c] = (number)(sum / pixels);
}

// Thread i makes grad_x[i] of (N, pixels, C): an equal share of the gradient (N, C) of the mean.
extern "C" __global__ void global_avg_pool2d_backward(const number* grad_output, number* grad_x, integer images,
                                                      integer pixels, integer channels) {
    FOR_EACH(i, images * pixels * channels) {
        grad_x[i] = grad_output[i / channels / pixels * channels + i % channels] / (number)pixels;
    }
}
