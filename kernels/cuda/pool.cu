// Max and average pooling. Contracts: reference/pool.py.
//
// Images lie channels-last, x[n][h][w][c], so that the threads of a warp, which make neighbouring elements, read
// neighbouring channels. In the forward pass a thread makes one element of the output from the pixels of its window; in
// the backward pass one element of the input's gradient, from the windows that see its pixel. So nothing is written
// twice, and no atomics are needed.

#include "common.cuh"
#include "window.cuh"

// Thread i makes output[i] of (N, OH, OW, C), and its tap. Taps come in rising order: the first of equal maxima stays.
template <typename Tap>
__device__ void maximum(const number* x, number* output, Tap* taps, integer images, integer channels, Axis rows,
                        Axis columns) {
    FOR_EACH(i, images * rows.count * columns.count * channels) {
        integer c = i % channels, window = i / channels;
        integer ow = window % columns.count, oh = window / columns.count % rows.count;
        integer n = window / columns.count / rows.count;

        // A window of -inf alone answers with its first tap inside the image; one without such a tap, with its last.
        integer first_row = smaller(divide_up(larger(-rows.pixel(oh, 0), 0), rows.dilation),
                                    rows.kernel - 1);
        integer first_column = smaller(divide_up(larger(-columns.pixel(ow, 0), 0), columns.dilation),
                                       columns.kernel - 1);
        integer tap = first_row * columns.kernel + first_column;
        number best = -INFINITE;  // also where no tap is inside

        for (integer a = 0; a < rows.kernel; a++) {
            integer h = rows.pixel(oh, a);
            if (!rows.has(h)) continue;
            for (integer b = 0; b < columns.kernel; b++) {
                integer w = columns.pixel(ow, b);
                if (!columns.has(w)) continue;
                number value = x[((n * rows.size + h) * columns.size + w) * channels + c];
                if (value > best || isnan(value)) {  // nothing is greater than a NaN: only another one replaces it
                    best = value;
                    tap = a * columns.kernel + b;
                }
            }
        }
        output[i] = best;
        taps[i] = (Tap)tap;
    }
}

extern "C" __global__ void max_pool2d(const number* x, number* output, unsigned char* taps, integer images,
                                      integer channels, AXIS(rows), AXIS(columns)) {
    maximum(x, output, taps, images, channels, AXIS_OF(rows), AXIS_OF(columns));
}

extern "C" __global__ void max_pool2d_many_taps(const number* x, number* output, int* taps, integer images,
                                                integer channels, AXIS(rows), AXIS(columns)) {
    maximum(x, output, taps, images, channels, AXIS_OF(rows), AXIS_OF(columns));
}

// Thread i makes grad_x[i] of (N, H, W, C): the sum of the gradients of the windows whose maximum it is.
template <typename Tap>
__device__ void gradient_of_maximum(const number* grad_output, const Tap* taps, number* grad_x, integer images,
                                    integer channels, Axis rows, Axis columns) {
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
                integer window = ((n * rows.count + oh) * columns.count + ow) * channels + c;
                if (taps[window] == a * columns.kernel + b) sum += grad_output[window];
            }
        }
        grad_x[i] = sum;
    }
}

extern "C" __global__ void max_pool2d_backward(const number* grad_output, const unsigned char* taps, number* grad_x,
                                               integer images, integer channels, AXIS(rows), AXIS(columns)) {
    gradient_of_maximum(grad_output, taps, grad_x, images, channels, AXIS_OF(rows), AXIS_OF(columns));
}

extern "C" __global__ void max_pool2d_backward_many_taps(const number* grad_output, const int* taps, number* grad_x,
                                                         integer images, integer channels, AXIS(rows), AXIS(columns)) {
    gradient_of_maximum(grad_output, taps, grad_x, images, channels, AXIS_OF(rows), AXIS_OF(columns));
}

// How many pixels of a window count along one axis: those up to the end of the padding, or those inside the image.
__device__ integer counted_pixels(Axis axis, integer window, bool count_padding) {
    integer start = axis.pixel(window, 0), border = count_padding ? axis.padding : 0;
    integer end = smaller(start + axis.kernel, axis.size + border);
    return end - larger(start, -border);
}

// What the sum of a window is divided by, forward and backward.
__device__ number divisor_of(Axis rows, Axis columns, integer oh, integer ow, bool count_padding, integer override) {
    if (override != 0) return (number)override;
    return (number)(counted_pixels(rows, oh, count_padding) * counted_pixels(columns, ow, count_padding));
}

// Thread i makes output[i] of (N, OH, OW, C). divisor_override: 0 for none.
extern "C" __global__ void avg_pool2d(const number* x, number* output, integer images, integer channels, AXIS(rows),
                                      AXIS(columns), integer count_padding, integer divisor_override) {
    Axis rows = AXIS_OF(rows), columns = AXIS_OF(columns);
    FOR_EACH(i, images * rows.count * columns.count * channels) {
        integer c = i % channels, window = i / channels;
        integer ow = window % columns.count, oh = window / columns.count % rows.count;
        integer n = window / columns.count / rows.count;
        number sum = 0;
        for (integer a = 0; a < rows.kernel; a++) {
            integer h = rows.pixel(oh, a);
            if (!rows.has(h)) continue;
            for (integer b = 0; b < columns.kernel; b++) {
                integer w = columns.pixel(ow, b);
                if (columns.has(w)) sum += x[((n * rows.size + h) * columns.size + w) * channels + c];
            }
        }
        output[i] = sum / divisor_of(rows, columns, oh, ow, count_padding, divisor_override);
    }
}

// Thread i makes grad_x[i] of (N, H, W, C): the sum of the shares that its windows hand on.
extern "C" __global__ void avg_pool2d_backward(const number* grad_output, number* grad_x, integer images,
                                               integer channels, AXIS(rows), AXIS(columns), integer count_padding,
                                               integer divisor_override) {
    Axis rows = AXIS_OF(rows), columns = AXIS_OF(columns);
    FOR_EACH(i, images * rows.size * columns.size * channels) {
        integer c = i % channels, pixel = i / channels;
        integer w = pixel % columns.size, h = pixel / columns.size % rows.size;
        integer n = pixel / columns.size / rows.size;
        number sum = 0;
        for (integer oh = rows.first_window(h); oh < rows.end_of_windows(h); oh++) {
            for (integer ow = columns.first_window(w); ow < columns.end_of_windows(w); ow++) {
                number gradient = grad_output[((n * rows.count + oh) * columns.count + ow) * channels + c];
                sum += gradient / divisor_of(rows, columns, oh, ow, count_padding, divisor_override);
            }
        }
        grad_x[i] = sum;
    }
}
