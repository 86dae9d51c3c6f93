// Where windows land along one axis of an image: window o reads pixels o * stride - padding + tap * dilation.

struct Axis {
    integer size;    // pixels
    integer count;   // windows
    integer kernel;  // taps of a window
    integer stride, padding, dilation;

    // The pixel that a tap of a window reads; it may lie outside of the image.
    __device__ integer pixel(integer window, integer tap) const { return window * stride - padding + tap * dilation; }

    __device__ bool has(integer pixel) const { return pixel >= 0 && pixel < size; }

    // The windows that may see a pixel: from the first up to, but without, the end.
    __device__ integer first_window(integer pixel) const {
        integer start = pixel + padding - dilation * (kernel - 1);  // no window that sees it starts before this
        return start <= 0 ? 0 : divide_up(start, stride);
    }
    __device__ integer end_of_windows(integer pixel) const { return smaller((pixel + padding) / stride + 1, count); }

    // Which tap of the window sees the pixel; -1 if it lies between two taps.
    __device__ integer tap(integer window, integer pixel) const {
        integer distance = pixel + padding - window * stride;
        return distance % dilation == 0 ? distance / dilation : -1;
    }
};

// Kernels take the numbers of an axis one by one, and put them together: `Axis rows = AXIS_OF(rows)`.
#define AXIS(name)                                                                                  \
    integer name##_size, integer name##_count, integer name##_kernel, integer name##_stride,        \
        integer name##_padding, integer name##_dilation
#define AXIS_OF(name) \
    Axis{name##_size, name##_count, name##_kernel, name##_stride, name##_padding, name##_dilation}
