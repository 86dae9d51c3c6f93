// What conv.cu and its like for tensor cores have in common, which say what a TILE is: Tile of gemm.cuh or TensorTile.
//
// Convolution by implicit GEMM: matrix products whose left matrix, the windows of the images, is never written out (as
// cuDNN does it: Chetlur et al., "cuDNN: efficient primitives for deep learning", arXiv:1410.0759, section 3).
// Contracts: reference/conv.py. Images lie channels-last. Per group, with M = N * OH * OW windows, a window of
// K = KH * KW * C/G numbers in the order (row, column, channel), and O/G outputs:
//
//     correlation       output (M, O/G)  = windows (M, K) @ weights (K, O/G) + bias
//     weight gradient   grad (K, O/G)    = windows.T (K, M) @ grad_output (M, O/G)
//
// The input gradient is a correlation too, of grad_output with the weights transposed; where the convolution has a
// stride, there is one for each class of pixels that the same taps reach (see conv.py). So no sum is made in memory.
//
// On a GPU each pass takes 2 M K O/G operations per group, and has to move images, weights and results once. With 3x3
// taps and 64 channels in float32 that is over 100 operations per byte: the floor is the rate of multiplications.

#define HEIGHT 128  // of the tiles: windows, or in the weight gradient numbers of a window; their width is of outputs

#define WIDE (sizeof(number) == 4 ? 128 : 64)  // of the widest tile; float64 takes twice the registers
#ifndef BLOCKS  // two on a multiprocessor, of which one computes while the other waits, if 128 registers suffice
#define BLOCKS (sizeof(number) == 4 && sizeof(integer) == 4 ? 2 : 1)
#endif

// A number counted in three digits, the last of which runs fastest: (row, column, channel) of the numbers of a window,
// or (image, row, column) of windows. `seconds` and `thirds` say how many values the last two digits have. Counting on
// is cheaper than dividing anew.
struct Digits {
    integer first, second, third;

    __device__ Digits(integer i, integer seconds, integer thirds)
        : first(i / thirds / seconds), second(i / thirds % seconds), third(i % thirds) {}
    __device__ void advance(integer step, integer seconds, integer thirds) {
        for (third += step; third >= thirds; third -= thirds) {
            if (++second < seconds) continue;
            second = 0;
            first++;
        }
    }
};

// The images that windows are read from: (N, H, W, C), of which a group has some of the C channels.
struct Images {
    const number* x;  // from the group's first channel on
    Axis rows, columns;
    integer stride, channels;  // C, and how many the group has

    __device__ integer windows(integer images) const { return images * rows.count * columns.count; }
    __device__ Digits window(integer i) const { return Digits(i, rows.count, columns.count); }
    __device__ Digits tap(integer k) const { return Digits(k, columns.kernel, channels); }

    __device__ integer offset(integer n, integer h, integer w) const {
        return ((n * rows.size + h) * columns.size + w) * stride;
    }
    __device__ number read(integer h, integer w, integer offset) const {  // 0 in the padding
        return rows.has(h) && columns.has(w) ? x[offset] : 0;
    }
};

// HEIGHT windows as a left matrix, whose lines are the numbers of a window. Each thread brings one line of a slice, of
// several windows: so neighbouring threads read neighbouring channels.
struct WindowsByTap {
    static const int COUNT = SLICE * HEIGHT / THREADS;
    const Images& images;
    Digits tap;
    integer top[COUNT], left[COUNT], corner[COUNT];  // where each window begins; maybe outside of the image

    __device__ WindowsByTap(const Images& images, integer first, integer end)
        : images(images), tap(images.tap(threadIdx.x % SLICE)) {
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            Digits window = images.window(first + place(i));
            top[i] = images.rows.pixel(window.second, 0);
            left[i] = images.columns.pixel(window.third, 0);
            corner[i] = images.offset(window.first, top[i], left[i]);
            if (first + place(i) >= end) top[i] = images.rows.size;  // there is no such window: all is padding
        }
    }
    __device__ int line(int i) const { return threadIdx.x % SLICE; }
    __device__ int place(int i) const { return threadIdx.x / SLICE + i * (THREADS / SLICE); }
    __device__ number at(int i) const {
        if (tap.first >= images.rows.kernel) return 0;  // the last slice goes beyond the end
        integer down = tap.first * images.rows.dilation, right = tap.second * images.columns.dilation;
        return images.read(top[i] + down, left[i] + right, corner[i] + images.offset(0, down, right) + tap.third);
    }
    __device__ void advance() { tap.advance(SLICE, images.columns.kernel, images.channels); }
};

// The same transposed: HEIGHT numbers of windows, in lines of one window each, from `window` up to `end`. Each thread
// brings the same number of every so-manieth window.
struct WindowsByWindow {
    static const int COUNT = SLICE * HEIGHT / THREADS, STEP = THREADS / HEIGHT;
    const Images& images;
    integer left_over;  // windows from this thread's next one to the end
    Digits window;
    integer down, right, channel;  // of the number, from its window's begin
    bool exists;

    __device__ WindowsByWindow(const Images& images, integer first, integer numbers, integer begin, integer end)
        : images(images), left_over(end - begin - threadIdx.x / HEIGHT),
          window(images.window(begin + threadIdx.x / HEIGHT)), exists(first + place(0) < numbers) {
        Digits tap = images.tap(first + place(0));
        down = tap.first * images.rows.dilation - images.rows.padding;
        right = tap.second * images.columns.dilation - images.columns.padding;
        channel = tap.third;
    }
    __device__ int line(int i) const { return threadIdx.x / HEIGHT + i * STEP; }
    __device__ int place(int i) const { return threadIdx.x % HEIGHT; }
    __device__ number at(int i) {
        integer h = window.second * images.rows.stride + down, w = window.third * images.columns.stride + right;
        number found = exists && left_over > 0 ? images.read(h, w, images.offset(window.first, h, w) + channel) : 0;
        left_over -= STEP;
        window.advance(STEP, images.rows.count, images.columns.count);
        return found;
    }
    __device__ void advance() {}
};

// Where the results of a correlation go along one axis of the output's images: window q to pixel first + q * step.
struct Target {
    integer size, first, step;

    __device__ integer pixel(integer window) const { return first + window * step; }
};

#define TARGET(name) integer name##_size, integer name##_first, integer name##_step
#define TARGET_OF(name) Target{name##_size, name##_first, name##_step}

// blockIdx.x counts the groups, then the tiles of outputs, then those of windows: blocks that run at the same time read
// the same windows. x (N, H, W, C); weights (G, KH, KW, C/G, O/G); bias (O,) may be null; output (N, height, width, O),
// to which is added if `adding`, and in which nothing negative is left if `relu`.
template <int WIDTH>
__device__ void correlate(const number* x, const number* weights, const number* bias, number* output, integer images,
                          integer channels, integer outputs, integer groups, const Axis& rows, const Axis& columns,
                          const Target& down, const Target& right, bool adding, bool relu,
                          number (*a)[SLICE][HEIGHT + PAD], number (*b)[SLICE][WIDTH + PAD]) {
    integer group_channels = channels / groups, group_outputs = outputs / groups;
    integer numbers = rows.kernel * columns.kernel * group_channels, tiles = divide_up(group_outputs, WIDTH);
    integer block = blockIdx.x, g = block % groups, first_output = block / groups % tiles * WIDTH;
    integer first = block / groups / tiles * HEIGHT;

    Images source = {x + g * group_channels, rows, columns, channels, group_channels};
    integer windows = source.windows(images);
    WindowsByTap left(source, first, windows);
    weights += g * numbers * group_outputs;
    Matrix<WIDTH> kernels(weights, 0, numbers, first_output, group_outputs, group_outputs);
    typedef TILE<HEIGHT, WIDTH> Product;
    Product tile;
    multiply(tile, left, kernels, divide_up(numbers, SLICE), a, b);

#pragma unroll
    for (int i = 0; i < Product::R; i++) {
        if (first + tile.row(i) >= windows) continue;
        Digits window = source.window(first + tile.row(i));
        integer pixel = (window.first * down.size + down.pixel(window.second)) * right.size + right.pixel(window.third);
#pragma unroll
        for (int j = 0; j < Product::C; j++) {
            integer o = first_output + tile.column(j);
            if (o >= group_outputs) continue;
            o += g * group_outputs;
            number sum = tile.sums[i][j] + (bias == 0 ? 0 : bias[o]);
            if (adding) sum += output[pixel * outputs + o];
            output[pixel * outputs + o] = relu && sum <= 0 ? 0 : sum;
        }
    }
}

#define CORRELATION                                                                                                  \
    const number *x, const number *weights, const number *bias, number *output, integer images, integer channels,    \
        integer outputs, integer groups, AXIS(rows), AXIS(columns), TARGET(down), TARGET(right), integer adding,     \
        integer relu
#define CORRELATE(WIDTH)                                                                                             \
    SLICES(a, HEIGHT);                                                                                               \
    SLICES(b, WIDTH);                                                                                                \
    correlate<WIDTH>(x, weights, bias, output, images, channels, outputs, groups, AXIS_OF(rows),                     \
                     AXIS_OF(columns), TARGET_OF(down), TARGET_OF(right), adding, relu, a, b)

extern "C" __global__ void __launch_bounds__(256, BLOCKS) correlation_32(CORRELATION) { CORRELATE(32); }
extern "C" __global__ void __launch_bounds__(256, BLOCKS) correlation_64(CORRELATION) { CORRELATE(64); }
extern "C" __global__ void __launch_bounds__(256, BLOCKS) correlation_wide(CORRELATION) { CORRELATE(WIDE); }

// The gradient of the weights is a sum over all windows, in two stages. First each block sums over a piece of them, for
// a tile of the gradient. blockIdx.x counts the groups, then the tiles of outputs, then those of numbers of a window;
// blockIdx.y the pieces. sums (pieces, G, KH * KW * C/G, O/G).
template <int WIDTH>
__device__ void sum_piece(const number* grad_output, const number* x, number* sums, integer piece, integer images,
                          integer channels, integer outputs, integer groups, const Axis& rows, const Axis& columns,
                          number (*a)[SLICE][HEIGHT + PAD], number (*b)[SLICE][WIDTH + PAD]) {
    integer group_channels = channels / groups, group_outputs = outputs / groups;
    integer numbers = rows.kernel * columns.kernel * group_channels, tiles = divide_up(group_outputs, WIDTH);
    integer block = blockIdx.x, g = block % groups, first_output = block / groups % tiles * WIDTH;
    integer first = block / groups / tiles * HEIGHT;

    Images source = {x + g * group_channels, rows, columns, channels, group_channels};
    integer begin = (integer)blockIdx.y * piece, end = smaller(begin + piece, source.windows(images));
    WindowsByWindow left(source, first, numbers, begin, end);
    Matrix<WIDTH> gradients(grad_output + g * group_outputs, begin, end, first_output, group_outputs, outputs);
    typedef TILE<HEIGHT, WIDTH> Product;
    Product tile;
    multiply(tile, left, gradients, divide_up(end - begin, SLICE), a, b);

    sums += ((integer)blockIdx.y * groups + g) * numbers * group_outputs;
#pragma unroll
    for (int i = 0; i < Product::R; i++)
#pragma unroll
        for (int j = 0; j < Product::C; j++) {
            integer k = first + tile.row(i), o = first_output + tile.column(j);
            if (k < numbers && o < group_outputs) sums[k * group_outputs + o] = tile.sums[i][j];
        }
}

#define PIECES                                                                                                       \
    const number *grad_output, const number *x, number *sums, integer piece, integer images, integer channels,       \
        integer outputs, integer groups, AXIS(rows), AXIS(columns)
#define SUM_PIECE(WIDTH)                                                                                             \
    SLICES(a, HEIGHT);                                                                                               \
    SLICES(b, WIDTH);                                                                                                \
    sum_piece<WIDTH>(grad_output, x, sums, piece, images, channels, outputs, groups, AXIS_OF(rows),                  \
                     AXIS_OF(columns), a, b)

extern "C" __global__ void __launch_bounds__(256, BLOCKS) weight_gradient_pieces_32(PIECES) { SUM_PIECE(32); }
extern "C" __global__ void __launch_bounds__(256, BLOCKS) weight_gradient_pieces_64(PIECES) { SUM_PIECE(64); }
extern "C" __global__ void __launch_bounds__(256, BLOCKS) weight_gradient_pieces_wide(PIECES) { SUM_PIECE(WIDE); }

// Second, thread i = (g, k, o) adds up the pieces in their order. grad_weight (O, C/G, KH * KW).
extern "C" __global__ void weight_gradient(const number* sums, number* grad_weight, integer pieces, integer groups,
                                           integer taps, integer channels, integer outputs) {
    integer numbers = taps * channels;
    FOR_EACH(i, groups * numbers * outputs) {
        integer o = i % outputs, channel = i / outputs % channels, tap = i / outputs / channels % taps;
        integer g = i / outputs / numbers;
        double total = 0;
        for (integer piece = 0; piece < pieces; piece++) total += sums[piece * groups * numbers * outputs + i];
        grad_weight[((g * outputs + o) * channels + channel) * taps + tap] = (number)total;
    }
}
