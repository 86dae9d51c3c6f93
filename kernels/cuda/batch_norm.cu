// Batch normalization, plain and with ReLU. Formulas and contracts: reference/batch_norm.py and batch_norm_relu.py.
//
// x lies in memory as rows of channels: x[row][c], a row for each pixel of each image. Thread (x, y) of a block has
// channel x of the block's tile of channels, and every blockDim.y-th row; so it can keep what belongs to the channel.
// Statistics and gradients have two stages: blocks work on pieces of the rows, then a thread for each channel puts the
// pieces together. The arithmetic on single channels is in double, where digits would be lost.

#include "common.cuh"
#include "block.cuh"

#define BATCH 16  // values that a thread takes at once; their sums are in the dtype of x

// Statistics of some values: how many, their mean, and the sum of squared distances from it.
struct Moments { double count, mean, squares; };

// Those of two sets of values together. Chan, Golub and LeVeque (1983), equation 2.1: nothing cancels.
__device__ Moments merged(Moments a, Moments b) {
    if (a.count == 0) return b;
    if (b.count == 0) return a;
    double delta = b.mean - a.mean, count = a.count + b.count, share = b.count / count;
    // Infinities have no distance, but the mean of infinity and a number is infinity.
    double mean = isfinite(delta) ? a.mean + delta * share : a.mean * (1 - share) + b.mean * share;
    return {count, mean, a.squares + b.squares + delta * delta * a.count * share};
}

// The moments of a channel's rows `row`, `row + step`, ... before `end`, BATCH at the most, by the corrected two-pass
// formula: mean = m + mean(x - m), where m is the mean as far as the dtype can hold it.
__device__ Moments moments_of_batch(const number* x, integer row, integer step, integer end, integer channels) {
    number values[BATCH], sum = 0;
    integer count = 0;
    #pragma unroll
    for (integer k = 0; k < BATCH; k++) {
        values[k] = 0;
        if (row + k * step < end) {
            values[k] = x[(row + k * step) * channels];
            sum += values[k];
            count++;
        }
    }
    number center = sum / (number)count, residual = 0, squares = 0;
    #pragma unroll
    for (integer k = 0; k < BATCH; k++) {
        if (k < count) {
            number deviation = values[k] - center;
            residual += deviation;
            squares += deviation * deviation;
        }
    }
    double mean = isfinite(center) ? center + (double)residual / count : center;  // infinity has no residual
    double exact = squares - (double)residual * residual / count;
    return {(double)count, mean, exact < 0 ? 0 : exact};  // below 0 by rounding; NaN stays NaN
}

// The moments of all values of the threads of a column, for its thread with threadIdx.y 0: as column_sum, but once only
// in a kernel.
__device__ Moments column_moments(Moments own) {
    __shared__ Moments of_threads[256];
    unsigned place = threadIdx.y * blockDim.x + threadIdx.x;
    of_threads[place] = own;
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) of_threads[place] = merged(of_threads[place], of_threads[place + half * blockDim.x]);
    }
    return of_threads[place];
}

// First stage: blockIdx = (piece, tile). means, squares (pieces, C).
extern "C" __global__ void __launch_bounds__(256)
batch_norm_moments(const number* x, double* means, double* squares, integer piece, integer rows, integer channels) {
    integer c = (integer)blockIdx.y * blockDim.x + threadIdx.x;
    integer first = blockIdx.x * piece, end = smaller(first + piece, rows);
    Moments moments = {0, 0, 0};
    for (integer row = first + threadIdx.y; row < end && c < channels; row += BATCH * blockDim.y)
        moments = merged(moments, moments_of_batch(x + c, row, blockDim.y, end, channels));
    moments = column_moments(moments);
    if (threadIdx.y == 0 && c < channels) {
        means[blockIdx.x * channels + c] = moments.mean;
        squares[blockIdx.x * channels + c] = moments.squares;
    }
}

// Second stage: the threads of a column put the pieces of their channel together, and the first of them makes the
// statistics and the numbers of y = (x - mean) * scale + shift, where shift makes up for the rounding of the mean.
// blockIdx = (tile,); weight and bias (C,) may be null; mean, var, scale, shift (C,).
extern "C" __global__ void __launch_bounds__(256) batch_norm_training_coefficients(
    const double* means, const double* squares, const number* weight, const number* bias, number* mean, number* var,
    number* scale, number* shift, integer pieces, integer piece, integer rows, integer channels, double eps) {
    integer c = (integer)blockIdx.x * blockDim.x + threadIdx.x;
    Moments all = {0, 0, 0};
    for (integer p = threadIdx.y; p < pieces && c < channels; p += blockDim.y) {
        double count = smaller(piece, rows - p * piece);
        all = merged(all, {count, means[p * channels + c], squares[p * channels + c]});
    }
    all = column_moments(all);
    if (threadIdx.y > 0 || c >= channels) return;
    double variance = all.squares / all.count;
    double factor = (weight == 0 ? 1 : weight[c]) / sqrt(variance + eps);
    number rounded = (number)all.mean;
    mean[c] = rounded;
    var[c] = (number)variance;
    scale[c] = (number)factor;
    shift[c] = (number)((bias == 0 ? 0 : bias[c]) + (rounded - all.mean) * factor);
}

// Evaluating, the statistics are given: scale = weight / sqrt(var + eps), shift = bias.
extern "C" __global__ void batch_norm_evaluation_coefficients(const number* var, const number* weight,
                                                              const number* bias, number* scale, number* shift,
                                                              integer channels, double eps) {
    FOR_EACH(c, channels) {
        scale[c] = (number)((weight == 0 ? 1 : weight[c]) / sqrt(var[c] + eps));
        shift[c] = bias == 0 ? 0 : bias[c];
    }
}

// What a channel's values go through: y = (x - mean) * scale + shift, and ReLU if there is one.
struct Line {
    number mean, scale, shift;
    bool relu;

    // Forward and backward ask whether y is above 0; one instruction gives both the same bits.
    __device__ number of(number x) const { return fma(x - mean, scale, shift); }
};

// Of a channel; scale is null, and shift too, where there is no ReLU and only the mean is asked for.
__device__ Line line_of(const number* mean, const number* scale, const number* shift, integer c) {
    if (scale == 0) return {mean[c], 1, 0, false};
    return {mean[c], scale[c], shift[c], true};
}

// output (rows, C): blockIdx = (block of rows, tile); threads go on to further rows.
extern "C" __global__ void batch_norm_normalize(const number* x, const number* mean, const number* scale,
                                                const number* shift, number* output, integer rows, integer channels,
                                                integer relu) {
    integer c = (integer)blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    Line line = {mean[c], scale[c], shift[c], relu != 0};
    for (integer row = blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += gridDim.x * blockDim.y) {
        number y = line.of(x[row * channels + c]);
        output[row * channels + c] = line.relu && y <= 0 ? 0 : y;  // NaN stays NaN
    }
}

// The gradient of the output, as far as ReLU lets it pass.
__device__ number passed(number gradient, number x, Line line) {
    return line.relu && line.of(x) <= 0 ? 0 : gradient;
}

// First stage of the gradients: blockIdx = (piece, tile). sums (pieces, 3, C): of g, of g (x - mean), of x - mean.
extern "C" __global__ void __launch_bounds__(256) batch_norm_gradient_sums(
    const number* grad_output, const number* x, const number* mean, const number* scale, const number* shift,
    double* sums, integer piece, integer rows, integer channels) {
    integer c = (integer)blockIdx.y * blockDim.x + threadIdx.x;
    integer first = blockIdx.x * piece, end = smaller(first + piece, rows);
    double sum_g = 0, sum_gd = 0, sum_d = 0;
    if (c < channels) {
        Line line = line_of(mean, scale, shift, c);
        for (integer row = first + threadIdx.y; row < end; row += BATCH * blockDim.y) {
            number batch_g = 0, batch_gd = 0, batch_d = 0;
            #pragma unroll
            for (integer k = 0; k < BATCH; k++) {
                integer r = row + k * blockDim.y;
                if (r < end) {
                    number value = x[r * channels + c], deviation = value - line.mean;
                    number g = passed(grad_output[r * channels + c], value, line);
                    batch_g += g;
                    batch_gd += g * deviation;
                    batch_d += deviation;
                }
            }
            sum_g += batch_g;
            sum_gd += batch_gd;
            sum_d += batch_d;
        }
    }
    sum_g = column_sum(sum_g);
    sum_gd = column_sum(sum_gd);
    sum_d = column_sum(sum_d);
    if (threadIdx.y == 0 && c < channels) {
        sums[(blockIdx.x * 3 + 0) * channels + c] = sum_g;
        sums[(blockIdx.x * 3 + 1) * channels + c] = sum_gd;
        sums[(blockIdx.x * 3 + 2) * channels + c] = sum_d;
    }
}

// Second stage: as that of the statistics. It makes the gradients of weight and bias, equations (1) and (2) of the
// reference, and for (4) the numbers of grad_x = (g - (x - mean) slope + offset) factor; evaluating (training 0), it is
// g factor.
extern "C" __global__ void __launch_bounds__(256) batch_norm_gradient_coefficients(
    const double* sums, const number* weight, const number* var, number* grad_weight, number* grad_bias, number* slope,
    number* offset, number* factor, integer pieces, integer rows, integer channels, integer training, double eps) {
    integer c = (integer)blockIdx.x * blockDim.x + threadIdx.x;
    double sum_g = 0, sum_gd = 0, sum_d = 0;
    for (integer p = threadIdx.y; p < pieces && c < channels; p += blockDim.y) {
        sum_g += sums[(p * 3 + 0) * channels + c];
        sum_gd += sums[(p * 3 + 1) * channels + c];
        sum_d += sums[(p * 3 + 2) * channels + c];
    }
    sum_g = column_sum(sum_g);
    sum_gd = column_sum(sum_gd);
    sum_d = column_sum(sum_d);
    if (threadIdx.y > 0 || c >= channels) return;
    double residual = 0;
    if (training) {  // the mean was rounded: sum_d is not quite 0
        residual = sum_d / rows;
        sum_gd -= residual * sum_g;
    }
    double inverse_std = 1 / sqrt(var[c] + eps);
    double steepness = inverse_std * inverse_std * sum_gd / rows;
    grad_weight[c] = (number)(inverse_std * sum_gd);
    grad_bias[c] = (number)sum_g;
    slope[c] = (number)steepness;
    offset[c] = (number)(residual * steepness - sum_g / rows);
    factor[c] = (number)(inverse_std * (weight == 0 ? 1 : weight[c]));
}

// grad_x (rows, C), as batch_norm_normalize. x is not read where nothing depends on it.
extern "C" __global__ void batch_norm_input_gradient(
    const number* grad_output, const number* x, const number* mean, const number* scale, const number* shift,
    const number* slope, const number* offset, const number* factor, number* grad_x, integer rows, integer channels,
    integer training) {
    integer c = (integer)blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    Line line = line_of(mean, scale, shift, c);
    number slope_c = slope[c], offset_c = offset[c], factor_c = factor[c];
    for (integer row = blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += gridDim.x * blockDim.y) {
        integer i = row * channels + c;
        number value = training || line.relu ? x[i] : 0;
        number g = passed(grad_output[i], value, line);
        if (training) g = g - (value - line.mean) * slope_c + offset_c;
        grad_x[i] = g * factor_c;
    }
}

// running = (1 - momentum) running + momentum new, in place; the new variance times `correction`, which makes it
// unbiased.
extern "C" __global__ void batch_norm_update_running(number* running_mean, number* running_var, const number* mean,
                                                     const number* var, integer channels, double correction,
                                                     double momentum) {
    FOR_EACH(c, channels) {
        running_mean[c] = (number)((1 - momentum) * running_mean[c] + momentum * mean[c]);
        running_var[c] = (number)((1 - momentum) * running_var[c] + momentum * (var[c] * correction));
    }
}
