// Updates of all parameters of an optimizer in one launch. Formulas and contracts: reference/update.py, update_all.py.
//
// On a GPU the floor is memory: each array is read once, and written once unless it is the gradient. With momentum SGD
// moves 20 bytes for each float32 parameter, Adam 28.

#include "common.cuh"
#include "rows.cuh"

// The gradient, negated to ascend, with weight decay.
__device__ number decayed(number grad, number parameter, number weight_decay, bool maximize) {
    if (maximize) grad = -grad;
    return weight_decay != 0 ? grad + weight_decay * parameter : grad;
}

// average + fraction * (value - average), from the nearer end, so that fraction 1 gives `value`.
__device__ number towards(number average, number value, double fraction) {
    number difference = value - average;
    return fraction < 0.5 ? average + (number)fraction * difference : value - (number)(1 - fraction) * difference;
}

// Columns: parameter, gradient, momentum buffer or 0.
extern "C" __global__ void sgd_update_all(const place* addresses, const place* ends, integer rows, double lr,
                                          double momentum, double undampened, double weight_decay, integer nesterov,
                                          integer first_step, integer maximize) {
    place stop = end_of_elements(ends, rows);
    for (place start = first_element(); start < stop;) {
        Stretch stretch(addresses, ends, rows, 3, start, stop);
        number *parameter = stretch.column(0), *grad = stretch.column(1), *buffer = stretch.column(2);
        for (place i = threadIdx.x; i < stretch.size; i += blockDim.x) {
            number g = decayed(grad[i], parameter[i], (number)weight_decay, maximize);
            if (buffer != 0) {
                number b = first_step ? g : (number)momentum * buffer[i] + (number)undampened * g;
                buffer[i] = b;
                g = nesterov ? g + (number)momentum * b : b;
            }
            parameter[i] -= (number)lr * g;
        }
        start += stretch.size;
    }
}

// Columns: parameter, gradient, average of squares, average or 0, momentum buffer or 0. fraction: 1 - alpha.
extern "C" __global__ void rmsprop_update_all(const place* addresses, const place* ends, integer rows, double lr,
                                              double alpha, double fraction, double eps, double weight_decay,
                                              double momentum, integer maximize) {
    place stop = end_of_elements(ends, rows);
    for (place start = first_element(); start < stop;) {
        Stretch stretch(addresses, ends, rows, 5, start, stop);
        number *parameter = stretch.column(0), *grad = stretch.column(1), *square = stretch.column(2);
        number *average = stretch.column(3), *buffer = stretch.column(4);
        for (place i = threadIdx.x; i < stretch.size; i += blockDim.x) {
            number g = decayed(grad[i], parameter[i], (number)weight_decay, maximize);
            number variance = square[i] = (number)alpha * square[i] + (number)fraction * g * g;
            if (average != 0) {
                average[i] = towards(average[i], g, fraction);
                variance -= average[i] * average[i];
            }
            number denominator = sqrt(variance) + (number)eps;
            if (buffer != 0) {
                buffer[i] = (number)momentum * buffer[i] + g / denominator;
                parameter[i] -= (number)lr * buffer[i];
            } else {
                parameter[i] -= (number)lr * g / denominator;
            }
        }
        start += stretch.size;
    }
}

// Columns: parameter, gradient, average, average of squares, largest of these or 0. fraction_1: 1 - beta1, and so 2;
// step_size: lr / (1 - beta1^step); correction: sqrt(1 - beta2^step); shrink: what AdamW multiplies parameters by.
extern "C" __global__ void adam_update_all(const place* addresses, const place* ends, integer rows, double step_size,
                                           double fraction_1, double beta_2, double fraction_2, double correction,
                                           double eps, double weight_decay, double shrink, integer maximize) {
    place stop = end_of_elements(ends, rows);
    for (place start = first_element(); start < stop;) {
        Stretch stretch(addresses, ends, rows, 5, start, stop);
        number *parameter = stretch.column(0), *grad = stretch.column(1), *average = stretch.column(2);
        number *square = stretch.column(3), *largest = stretch.column(4);
        for (place i = threadIdx.x; i < stretch.size; i += blockDim.x) {
            number g = decayed(grad[i], parameter[i], (number)weight_decay, maximize);
            average[i] = towards(average[i], g, fraction_1);
            number second = square[i] = (number)beta_2 * square[i] + (number)fraction_2 * g * g;
            if (largest != 0) {  // of all steps; NaN is the maximum
                second = largest[i] > second || isnan(largest[i]) ? largest[i] : second;
                largest[i] = second;
            }
            number denominator = sqrt(second) / (number)correction + (number)eps;
            parameter[i] = parameter[i] * (number)shrink - (number)step_size * average[i] / denominator;
        }
        start += stretch.size;
    }
}
