// The message of three GVPs and its mean over neighbours on a processor: tiles shared out among threads.

#include "tile.h"

#include <algorithm>
#include <vector>

namespace {

// Gradients that one thread adds to: those of the weights, and of the source residues that its tiles touch.
struct Part {
    int64_t begin, end;      // residues
    int64_t low = 0, high = 0;  // source residues
    Buffer scalars_j, vectors_j;

    bool reserve(const Sizes& s, const int32_t* neighbours) {
        if (begin == end) return true;
        auto [least, most] = std::minmax_element(neighbours + begin * s.k, neighbours + end * s.k);
        low = *least, high = int64_t(*most) + 1;
        scalars_j = zeros((high - low) * whole(s.n)), vectors_j = zeros(3 * (high - low) * whole(s.h));
        return scalars_j && vectors_j;
    }
};

// Sum over the parts of rows (parts' low..high) into rows of `channels`.
void gather_parts(const std::vector<Part>& parts, Buffer Part::*rows, int axis, int channels, int64_t residue, float* to) {
    std::fill_n(to, channels, 0.f);
    for (const Part& part : parts) {
        if (residue < part.low || residue >= part.high) continue;
        const float* from = (part.*rows).get() + (axis * (part.high - part.low) + residue - part.low) * whole(channels);
        for (int c = 0; c < channels; c++) to[c] += from[c];
    }
}

Sizes sizes_of(const int64_t* given) {
    return {given[0], int(given[1]), int(given[2]), int(given[3]), int(given[4]), int(given[5]), int(given[6])};
}

Inputs inputs_of(const void* const* given) {
    auto floats = [&](int i) { return static_cast<const float*>(given[i]); };
    return {static_cast<const int32_t*>(given[0]), floats(1), floats(2), floats(3), floats(4), floats(5), floats(6), floats(7)};
}

Weights weights_of(const void* const* given) {
    auto floats = [&](int i) { return static_cast<const float*>(given[i]); };
    return {floats(0), floats(1), floats(2), floats(3), floats(4), floats(5), floats(6),
            floats(7), floats(8), floats(9), floats(10), floats(11), floats(12), floats(13)};
}

}  // namespace

extern "C" {

int wide() { return WIDE; }

// 0, or 1 where there is not enough memory. `sizes`: N, k, n, v, e, w, h.
int mean_message_forward(const int64_t* sizes, const void* const* inputs, const void* const* weights, int threads, int narrow,
                         float* mean_s, float* mean_v) {
    const Sizes s = sizes_of(sizes);
    const Inputs in = inputs_of(inputs);
    const Weights w = weights_of(weights);
    int failed = 0;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        Tile tile(s, narrow, false);
        failed |= !tile.good();
#pragma omp for schedule(dynamic, 8)
        for (int64_t start = 0; start < (s.residues + tile.step() - 1) / tile.step(); start++) {
            if (!tile.good()) continue;
            tile.forward(in, w, start * tile.step(), s.residues);
            tile.means(in, mean_s, mean_v);
        }
    }
    return failed;
}

// `d_weights`: of each weight after the first, (threads, in, out of whole vectors), zeros to be added to.
// `d_inputs`: of the six inputs, written once.
int mean_message_backward(const int64_t* sizes, const void* const* inputs, const void* const* weights, int threads, int narrow,
                          const float* grad_s, const float* grad_v, float* const* d_weights, float* const* d_inputs) {
    const Sizes s = sizes_of(sizes);
    const Inputs in = inputs_of(inputs);
    const Weights w = weights_of(weights);
    std::vector<Part> parts(static_cast<size_t>(threads));
    int failed = 0;
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(| : failed)
    for (int number = 0; number < threads; number++) {
        Part& part = parts[size_t(number)];
        part.begin = s.residues * number / threads, part.end = s.residues * (number + 1) / threads;
        Tile tile(s, narrow, true);
        if (!tile.good() || !part.reserve(s, in.neighbours)) {
            failed = 1;
            continue;
        }
        const int64_t touched = part.high - part.low;
        Matrix scalars_j{part.scalars_j.get(), whole(s.n)}, vectors_j[3];
        for (int axis = 0; axis < 3; axis++)
            vectors_j[axis] = {part.vectors_j.get() + axis * touched * whole(s.h), whole(s.h)};
        const int v = whole(s.v), n = whole(s.n), h = whole(s.h), all = s.n + s.v + 1;
        auto mine = [&](int i, int rows, int columns) {
            return Matrix{d_weights[i] + int64_t(number) * rows * columns, columns};
        };
        WeightGradients d{mine(0, s.w, h),   mine(1, s.e + s.h, n), mine(2, s.h, v), mine(3, s.n, v), mine(4, 1, v),
                          mine(5, s.v, v),   mine(6, all, n),       mine(7, s.v, v), mine(8, s.n, v), mine(9, 1, v),
                          mine(10, s.v, v),  mine(11, s.v, v),      mine(12, all, v)};
        for (int64_t start = part.begin; start < part.end; start += tile.step()) {
            tile.forward(in, w, start, part.end);
            tile.backward(in, w, grad_s, grad_v, d);
            tile.spread(in, w, d, scalars_j, vectors_j, part.low, d_inputs[1], d_inputs[3], d_inputs[4], d_inputs[5]);
        }
    }
    if (failed) return failed;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t residue = 0; residue < s.residues; residue++) {
        gather_parts(parts, &Part::scalars_j, 0, s.n, residue, d_inputs[0] + residue * s.n);
        for (int axis = 0; axis < 3; axis++)
            gather_parts(parts, &Part::vectors_j, axis, s.h, residue, d_inputs[2] + (axis * s.residues + residue) * s.h);
    }
    return 0;
}
}
