// Dense arithmetic on tiles: products, transposes, sigmoids, in vectors of the compiler's own type.
//
// A matrix is a pointer and the distance between its rows, in floats. Columns of a tile come in whole vectors
// (WIDE floats), those past its end are zero or ignored.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

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
void block(int depth, const float* a, int64_t row, int64_t column, const float* b, int64_t b_stride,
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

using Block = void (*)(int, const float*, int64_t, int64_t, const float*, int64_t, float*, int64_t, Start, const float*);

// Blocks of 1..ROWS rows and 1..VECTORS vectors.
template <int... I>
constexpr std::array<Block, ROWS * VECTORS> blocks(std::integer_sequence<int, I...>) {
    return {block<I / VECTORS + 1, I % VECTORS + 1>...};
}
constexpr auto BLOCKS = blocks(std::make_integer_sequence<int, ROWS * VECTORS>{});

#if defined(__AVX512BF16__)
// The same with both factors rounded to bf16, two elements of the sum at a time, added up in fp32. Pairs of a
// factor's neighbouring elements along the sum are one number of 32 bits.
using Pairs = uint32_t;

inline __m512i pair(Vector first, Vector second) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                           5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

template <int MR, int NV>
void narrow_block(int depth, const Pairs* a, int64_t row, int64_t column, const Pairs* b, float* c, int64_t c_stride,
                  Start start, const float* bias) {
    __m512 sum[MR][NV];
    for (int i = 0; i < MR; i++)
        for (int j = 0; j < NV; j++)
            sum[i][j] = start == Start::add    ? _mm512_load_ps(c + i * c_stride + j * WIDE)
                        : start == Start::bias ? _mm512_set1_ps(bias[i])
                                               : _mm512_setzero_ps();
    for (int k = 0; k < depth; k++) {
        __m512bh columns[NV];
        for (int j = 0; j < NV; j++) columns[j] = (__m512bh)_mm512_load_si512(b + (k * NV + j) * WIDE);
        for (int i = 0; i < MR; i++) {
            __m512bh factor = (__m512bh)_mm512_set1_epi32(int(a[i * row + k * column]));
            for (int j = 0; j < NV; j++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], columns[j], factor);
        }
    }
    for (int i = 0; i < MR; i++)
        for (int j = 0; j < NV; j++) _mm512_store_ps(c + i * c_stride + j * WIDE, sum[i][j]);
}

using NarrowBlock = void (*)(int, const Pairs*, int64_t, int64_t, const Pairs*, float*, int64_t, Start, const float*);

template <int... I>
constexpr std::array<NarrowBlock, ROWS * VECTORS> narrow_blocks(std::integer_sequence<int, I...>) {
    return {narrow_block<I / VECTORS + 1, I % VECTORS + 1>...};
}
constexpr auto NARROW_BLOCKS = narrow_blocks(std::make_integer_sequence<int, ROWS * VECTORS>{});
#endif

// c (rows, columns) = or += a (rows, depth) @ b (depth, columns); columns are rounded up to whole vectors.
class Product {
  public:
    explicit Product(bool narrow = false, int most = 0) : narrow(narrow) {
        if (narrow) left = zeros(int64_t(most) * most), right = zeros(int64_t(most) * VECTORS * WIDE);
    }

    bool good() const { return !narrow || (left && right); }

    void operator()(Matrix c, Factor a, Matrix b, int rows, int depth, int columns, Start start = Start::zero,
                    const float* bias = nullptr) const {
#if defined(__AVX512BF16__)
        if (narrow) return rounded(c, a, b, rows, depth, columns, start, bias);
#endif
        for (int j = 0; j < whole(columns); j += VECTORS * WIDE) {
            int vectors = std::min(VECTORS, (whole(columns) - j) / WIDE);
            for (int i = 0; i < rows; i += ROWS) {
                Block block = BLOCKS[(std::min(ROWS, rows - i) - 1) * VECTORS + vectors - 1];
                block(depth, a.data + i * a.row, a.row, a.column, b.data + j, b.stride, c[i] + j, c.stride, start,
                      bias ? bias + i : nullptr);
            }
        }
    }

  private:
    bool narrow;
    Buffer left, right;

#if defined(__AVX512BF16__)
    void rounded(Matrix c, Factor a, Matrix b, int rows, int depth, int columns, Start start, const float* bias) const {
        const int pairs = (depth + 1) / 2;
        Pairs *first = (Pairs*)left.get(), *second = (Pairs*)right.get();
        const bool along = a.column == 1;  // the sum runs along rows of memory
        const int64_t row = along ? whole(pairs) : 1, column = along ? 1 : whole(rows);
        if (along)
            for (int i = 0; i < rows; i++)
                for (int k = 0; k < depth; k += 2 * WIDE)
                    _mm512_store_si512(first + i * row + k / 2, neighbours(a.data + i * a.row + k, depth - k));
        else
            for (int k = 0; k < depth; k += 2)
                for (int i = 0; i < rows; i += WIDE)
                    _mm512_store_si512(first + k / 2 * column + i,
                                       pair(loaded(a.data + i + k * a.column, rows - i),
                                            k + 1 < depth ? loaded(a.data + i + (k + 1) * a.column, rows - i) : Vector{}));
        for (int j = 0; j < whole(columns); j += VECTORS * WIDE) {
            int vectors = std::min(VECTORS, (whole(columns) - j) / WIDE);
            for (int k = 0; k < depth; k += 2)
                for (int i = 0; i < vectors; i++) {
                    const float* from = b[k] + j + i * WIDE;
                    Vector next = k + 1 < depth ? *(const Vector*)(from + b.stride) : Vector{};
                    _mm512_store_si512(second + (k / 2 * vectors + i) * WIDE, pair(*(const Vector*)from, next));
                }
            for (int i = 0; i < rows; i += ROWS) {
                NarrowBlock block = NARROW_BLOCKS[(std::min(ROWS, rows - i) - 1) * VECTORS + vectors - 1];
                block(pairs, first + i * row, row, column, second, c[i] + j, c.stride, start, bias ? bias + i : nullptr);
            }
        }
    }

    static Vector loaded(const float* from, int count) {
        return (Vector)_mm512_maskz_loadu_ps(count < WIDE ? __mmask16((1u << count) - 1) : __mmask16(-1), from);
    }

    // Up to 32 numbers, in their order.
    static __m512i neighbours(const float* from, int count) {
        Vector low = loaded(from, count), high = count > WIDE ? loaded(from + WIDE, count - WIDE) : Vector{};
        return (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    }
#endif
};

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

// The first `count` lanes, or all.
inline void store(float* to, Vector value, int count) {
    if (count >= WIDE)
        *(Loose*)to = value;
    else
        std::memcpy(to, &value, sizeof(float) * size_t(count));
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

// e^x within 2 units in the last place for x from -87 to 88, that of the nearer end beyond: powers of two times a
// polynomial.
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
