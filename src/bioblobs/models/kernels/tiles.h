// Dense arithmetic on tiles: products, transposes, sigmoids, in vectors of the compiler's own type.
//
// A matrix is a pointer and the distance between its rows, in floats. Columns of a tile come in whole vectors
// (WIDE floats), those past its end are zero or ignored.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#if defined(__AVX512F__)
constexpr int WIDE = 16, ROWS = 6, VECTORS = 4;  // 24 sums, 4 columns and 1 factor in 32 registers
#else
constexpr int WIDE = 8, ROWS = 6, VECTORS = 2;  // 12, 2 and 1 in 16
#endif

typedef float Vector __attribute__((vector_size(WIDE * 4), may_alias));
typedef float Loose __attribute__((vector_size(WIDE * 4), may_alias, aligned(4)));
typedef int32_t Ints __attribute__((vector_size(WIDE * 4), may_alias));

inline int whole(int columns) { return (columns + WIDE - 1) / WIDE * WIDE; }

// An odd number of vectors, so that the rows of a column do not fall into the same few sets of the cache.
inline int stride(int columns) { return (columns + WIDE - 1) / WIDE % 2 ? whole(columns) : whole(columns) + WIDE; }

struct Free {
    void operator()(float* pointer) const { std::free(pointer); }
};
using Buffer = std::unique_ptr<float[], Free>;

// Zeros; a null pointer where there is no memory.
inline Buffer zeros(int64_t floats) {
    size_t bytes = (size_t(floats) * sizeof(float) + 127) / 64 * 64;
    void* pointer = std::aligned_alloc(64, bytes);
    if (pointer) std::memset(pointer, 0, bytes);
    return Buffer(static_cast<float*>(pointer));
}

struct Matrix {
    float* data = nullptr;
    int stride = 0;
    float* operator[](int row) const { return data + int64_t(row) * stride; }
    Matrix from(int row) const { return {(*this)[row], stride}; }
};

// Factor of a product: element (i, k) at data[i * row + k * column], so that a transpose costs nothing.
struct Factor {
    const float* data;
    int64_t row, column;
    Factor(const float* data, int64_t row, int64_t column) : data(data), row(row), column(column) {}
    explicit Factor(Matrix m) : data(m.data), row(m.stride), column(1) {}
};

enum class Start { zero, add, bias };

template <int MR, int NV>
inline void block(int depth, const float* a, int64_t row, int64_t column, const float* b, int64_t b_stride,
                  float* c, int64_t c_stride, Start start, const float* bias) {
    Vector sum[MR][NV];
    for (int i = 0; i < MR; i++)
        for (int j = 0; j < NV; j++)
            sum[i][j] = start == Start::add    ? *(const Vector*)(c + i * c_stride + j * WIDE)
                        : start == Start::bias ? Vector{} + bias[i]
                                               : Vector{};
    for (int k = 0; k < depth; k++) {
        Vector columns[NV];
        for (int j = 0; j < NV; j++) columns[j] = *(const Vector*)(b + k * b_stride + j * WIDE);
        for (int i = 0; i < MR; i++) {
            float factor = a[i * row + k * column];
            for (int j = 0; j < NV; j++) sum[i][j] += columns[j] * factor;
        }
    }
    for (int i = 0; i < MR; i++)
        for (int j = 0; j < NV; j++) *(Vector*)(c + i * c_stride + j * WIDE) = sum[i][j];
}

template <int MR>
inline void block_of(int vectors, int depth, const float* a, int64_t row, int64_t column, const float* b,
                     int64_t b_stride, float* c, int64_t c_stride, Start start, const float* bias) {
    switch (vectors) {
        case 1: return block<MR, 1>(depth, a, row, column, b, b_stride, c, c_stride, start, bias);
        case 2: return block<MR, 2>(depth, a, row, column, b, b_stride, c, c_stride, start, bias);
#if defined(__AVX512F__)
        case 3: return block<MR, 3>(depth, a, row, column, b, b_stride, c, c_stride, start, bias);
        case 4: return block<MR, 4>(depth, a, row, column, b, b_stride, c, c_stride, start, bias);
#endif
    }
}

// c (rows, columns) = or += a (rows, depth) @ b (depth, columns); columns are rounded up to whole vectors.
inline void product(Matrix c, Factor a, Matrix b, int rows, int depth, int columns, Start start = Start::zero,
                    const float* bias = nullptr) {
    int vectors = whole(columns) / WIDE;
    for (int j = 0; j < vectors; j += VECTORS) {
        int here = vectors - j < VECTORS ? vectors - j : VECTORS;
        const float* from = b.data + j * WIDE;
        for (int i = 0; i < rows; i += ROWS) {
            const float *left = a.data + i * a.row, *add = bias ? bias + i : nullptr;
            float* to = c[i] + j * WIDE;
            switch (rows - i) {
                case 1: block_of<1>(here, depth, left, a.row, a.column, from, b.stride, to, c.stride, start, add); break;
                case 2: block_of<2>(here, depth, left, a.row, a.column, from, b.stride, to, c.stride, start, add); break;
                case 3: block_of<3>(here, depth, left, a.row, a.column, from, b.stride, to, c.stride, start, add); break;
                case 4: block_of<4>(here, depth, left, a.row, a.column, from, b.stride, to, c.stride, start, add); break;
                case 5: block_of<5>(here, depth, left, a.row, a.column, from, b.stride, to, c.stride, start, add); break;
                default: block_of<6>(here, depth, left, a.row, a.column, from, b.stride, to, c.stride, start, add);
            }
        }
    }
}

template <int STEP>
inline void exchange(Vector* rows) {
    Ints low, high;
    for (int lane = 0; lane < WIDE; lane++) {
        low[lane] = lane & STEP ? WIDE + lane - STEP : lane;
        high[lane] = lane & STEP ? WIDE + lane : lane + STEP;
    }
    for (int i = 0; i < WIDE; i++)
        if (!(i & STEP)) {
            Vector a = rows[i], b = rows[i + STEP];
            rows[i] = __builtin_shuffle(a, b, low);
            rows[i + STEP] = __builtin_shuffle(a, b, high);
        }
}

// A square of WIDE rows becomes its transpose.
inline void turn(Vector* rows) {
    exchange<1>(rows);
    exchange<2>(rows);
    exchange<4>(rows);
    if constexpr (WIDE == 16) exchange<8>(rows);
}

// to (columns, rows) = from (rows, columns) transposed; both are read and written in whole vectors.
inline void transpose(Matrix to, Matrix from, int rows, int columns) {
    for (int i = 0; i < rows; i += WIDE)
        for (int j = 0; j < columns; j += WIDE) {
            Vector square[WIDE];
            for (int lane = 0; lane < WIDE; lane++)
                square[lane] = i + lane < rows ? *(const Vector*)(from[i + lane] + j) : Vector{};
            turn(square);
            for (int lane = 0; lane < WIDE && j + lane < whole(columns); lane++)
                *(Vector*)(to[j + lane] + i) = square[lane];
        }
}

// e^x within 2 units in the last place for x up to 88, 0 far below: powers of two times a polynomial.
inline Vector exponential(Vector x) {
    const float log2e = 1.44269504f, high = 0.693359375f, low = -2.12194440e-4f, magic = 12582912.f;  // 1.5 * 2^23
    Vector lowest = Vector{} - 87.f, highest = Vector{} + 88.f;
    x = x < lowest ? lowest : x > highest ? highest : x;
    Vector whole_part = (x * log2e + magic) - magic;
    Vector r = x - whole_part * high - whole_part * low;  // |r| <= log(2) / 2
    Vector p = Vector{} + 1.9875691500e-4f;  // coefficients of Cephes' expf
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.f;
    Ints power = (__builtin_convertvector(whole_part, Ints) + 127) << 23;
    return p * (Vector)power;
}

inline Vector sigmoid(Vector x) { return 1.f / (1.f + exponential(-x)); }

inline Vector root(Vector x) {
    Vector found;
    for (int lane = 0; lane < WIDE; lane++) found[lane] = __builtin_sqrtf(x[lane]);
    return found;
}
