// The edges of a few residues through the three GVPs of a message, and back; reference.py says what is computed and
// names the same things alike.
//
// All that is made of a tile stays in the processor's caches and goes no further: the backward pass makes it again.
// Inside a tile channels are rows and edges are columns, so that vectors are full whatever the number of channels;
// those of the three axes lie side by side, (channels, 3 T).

#pragma once

#include "../tiles.h"

#include <algorithm>
#include <vector>

namespace {

constexpr int TILE = 256;  // edges, at most where a residue has fewer

struct Sizes {
    int64_t residues;
    int k, n, v, e, w, h;
};

struct Inputs {
    const int32_t* neighbours;                                    // (N, k)
    const float* edge_weights;                                    // (N, k) or null
    const float *scalars_j, *scalars_i, *vectors_j, *vectors_i;   // rows of whole vectors
    const float *edge_s, *edge_v;                                 // (N, k, e), (3, N, k, w)
};

struct Weights {
    const float *hidden1_t;  // (w, h) of whole vectors: transposed
    const float *hidden1, *scalar1, *vector1, *gate1, *gate_bias1;
    const float *hidden2, *scalar2, *vector2, *gate2, *gate_bias2;
    const float *hidden3, *vector3, *gate3;
};

// Sums over edges of the outer products that are gradients of weights: (in, out), out of whole vectors.
struct WeightGradients {
    Matrix hidden1, scalar1, vector1, gate1, gate_bias1, hidden2, scalar2, vector2, gate2, gate_bias2, hidden3, vector3, gate3;
};

// The vector side of one GVP: flow * gate is what comes out.
struct Gated {
    Matrix hidden, flow, gate, out;
};

class Tile {
  public:
    Tile(const Sizes& sizes, bool narrow, bool backward)
        : s(sizes),
          residues(best_residues(s.k)),
          wide(whole(residues * s.k)),
          product(narrow, std::max({3 * wide, s.n + s.v + 1, s.e + s.h, s.w})) {
        const int scalars = whole(s.n + s.v + 1), vectors = whole(std::max(s.v, s.h)), one = wide, three = 3 * wide;
        x1 = make(whole(s.e) + whole(s.h), one), pre1 = make(whole(s.n), one);
        x2 = make(scalars, one), pre2 = make(whole(s.n), one), x3 = make(scalars, one);
        for (Gated* gated : {&first, &second, &third}) {
            gated->hidden = make(vectors, three), gated->flow = make(vectors, three);
            gated->gate = make(vectors, one), gated->out = make(vectors, three);
        }
        turned = make(three, std::max({scalars, vectors, whole(s.e)}));
        if (!backward) return;
        grad = make(std::max(scalars, whole(s.e) + whole(s.h)), one), grad_pre = make(whole(s.n), one);
        grad_gate = make(vectors, one), grad_flow = make(vectors, three);
        grad_hidden = make(vectors, three), grad_out = make(vectors, three);
        edge_v = make(whole(s.w), three);
    }

    bool good() const { return enough && product.good(); }
    int step() const { return residues; }

    // The residues from `start` on, and before `end`, through the three GVPs.
    void forward(const Inputs& in, const Weights& w, int64_t start, int64_t end) {
        begin(start, end);
        gather(in, w);
        lengths(x1.from(s.e), first.hidden, s.h);
        product(pre1, weight(w.scalar1, s.e + s.h), x1, s.n, s.e + s.h, wide, Start::add);
        gate(first, w.gate1, w.gate_bias1, pre1, s.n);
        flow(first, w.vector1, s.h);
        product(second.hidden, weight(w.hidden2, s.v), first.out, s.v, s.v, 3 * wide);
        scalars_and_lengths(x2, pre1, second.hidden);
        product(pre2, weight(w.scalar2, s.n + s.v + 1), x2, s.n, s.n + s.v + 1, wide);
        gate(second, w.gate2, w.gate_bias2, pre2, s.n);
        flow(second, w.vector2, s.v);
        product(third.hidden, weight(w.hidden3, s.v), second.out, s.v, s.v, 3 * wide);
        scalars_and_lengths(x3, pre2, third.hidden);
        gate(third, w.gate3, nullptr, x3, s.n + s.v + 1);
        flow(third, w.vector3, s.v);
    }

    // Means of x3 (N, n + v + 1) and of the message vectors (3, N, v), into the rows of this tile's residues.
    void means(const Inputs& in, float* mean_s, float* mean_v) {
        transpose(turned, x3, s.n + s.v + 1, wide);
        for (int i = 0; i < here; i++)
            mean(in, i, 0, s.n + s.v + 1, mean_s + (origin + i) * (s.n + s.v + 1));
        transpose(turned, third.out, s.v, 3 * wide);
        for (int axis = 0; axis < 3; axis++)
            for (int i = 0; i < here; i++)
                mean(in, i, axis * wide, s.v, mean_v + (axis * s.residues + origin + i) * s.v);
    }

    // Gradients through the tile, after forward(); grad_s and grad_v, of the means, have rows of whole vectors.
    void backward(const Inputs& in, const Weights& w, const float* grad_s, const float* grad_v, WeightGradients& d) {
        const int all = s.n + s.v + 1;
        fill(grad, all, 0, [&](int edge, int c) { return at(grad_s, origin + edge / s.k, all, c) * share(in, edge); });
        for (int axis = 0; axis < 3; axis++)
            fill(grad_out, s.v, axis * wide, [&](int edge, int c) {
                return at(grad_v, axis * s.residues + origin + edge / s.k, s.v, c) * share(in, edge);
            });
        gate_backward(third, d.gate3, nullptr, x3, all);
        product(grad, transposed(w.gate3, all), grad_gate, s.n + s.v, s.v, wide, Start::add);
        vector_backward(third, w.vector3, d.vector3, x3.from(s.n), grad.from(s.n), s.v);
        linear_backward(second.out, w.hidden3, d.hidden3, s.v);

        gate_backward(second, d.gate2, &d.gate_bias2, pre2, s.n);
        scalar_backward(pre2, w.gate2);
        transpose(turned, grad_pre, s.n, wide);
        product(d.scalar2, Factor(x2), turned, all, wide, s.n, Start::add);
        product(grad, transposed(w.scalar2, all), grad_pre, s.n + s.v, s.n, wide);
        vector_backward(second, w.vector2, d.vector2, x2.from(s.n), grad.from(s.n), s.v);
        linear_backward(first.out, w.hidden2, d.hidden2, s.v);

        gate_backward(first, d.gate1, &d.gate_bias1, pre1, s.n);
        scalar_backward(pre1, w.gate1);
        product(grad, transposed(w.scalar1, s.e + s.h), grad_pre, s.e + s.h, s.n, wide);
        vector_backward(first, w.vector1, d.vector1, x1.from(s.e), grad.from(s.e), s.h);
    }

    // What is left after backward(): gradients of the inputs. Those of source residues are added to rows that
    // start at residue `low`; the rest is written once.
    void spread(const Inputs& in, const Weights& w, WeightGradients& d, Matrix scalars_j, const Matrix* vectors_j,
                int64_t low, float* scalars_i, float* vectors_i, float* edge_s, float* edge_v_out) {
        transpose(turned, grad_pre, s.n, wide);
        product(d.scalar1, Factor(x1), turned, s.e + s.h, wide, s.n, Start::add);
        scatter(in, scalars_j, low, 0, s.n, scalars_i);
        transpose(turned, grad_hidden, s.h, 3 * wide);
        for (int axis = 0; axis < 3; axis++) {
            scatter(in, vectors_j[axis], low, axis * wide, s.h, vectors_i + axis * s.residues * s.h);
            const float* from = in.edge_v + (axis * s.residues + origin) * s.k * s.w;
            for (int c = 0; c < s.w; c++)
                for (int edge = 0; edge < edges; edge++) edge_v[c][axis * wide + edge] = from[edge * s.w + c];
        }
        product(d.hidden1, Factor(edge_v), turned, s.w, 3 * wide, s.h, Start::add);
        product(edge_v, transposed(w.hidden1, s.w), grad_hidden, s.w, s.h, 3 * wide);
        for (int axis = 0; axis < 3; axis++) {
            float* to = edge_v_out + (axis * s.residues + origin) * s.k * s.w;
            for (int c = 0; c < s.w; c++)
                for (int edge = 0; edge < edges; edge++) to[edge * s.w + c] = edge_v[c][axis * wide + edge];
        }
        transpose(turned, grad, s.e, wide);
        for (int edge = 0; edge < edges; edge++)
            std::copy_n(turned[edge], s.e, edge_s + (origin * s.k + edge) * s.e);
    }

  private:
    const Sizes s;
    const int residues, wide;  // of a whole tile
    const Product product;
    int here = 0, edges = 0;  // of this one
    int64_t origin = 0;
    bool enough = true;
    std::vector<Buffer> memory;
    Matrix x1, pre1, x2, pre2, x3, turned;
    Gated first, second, third;
    Matrix grad, grad_pre, grad_gate, grad_flow, grad_hidden, grad_out, edge_v;

    Matrix make(int rows, int columns) {
        memory.push_back(zeros(int64_t(rows) * stride(columns)));
        enough = enough && memory.back();
        return {memory.back().get(), stride(columns)};
    }

    // The most residues whose edges leave the fewest columns empty.
    static int best_residues(int k) {
        int best = 1;
        if (k < 1) return best;
        for (int r = 2; r * k <= TILE; r++)
            if (int64_t(r) * whole(best * k) >= int64_t(best) * whole(r * k)) best = r;
        return best;
    }

    void begin(int64_t start, int64_t end) {
        origin = start;
        here = int(std::min<int64_t>(residues, end - start));
        edges = here * s.k;
    }

    // A weight (out, in), as it is and transposed.
    Factor weight(const float* data, int in) const { return {data, in, 1}; }
    Factor transposed(const float* data, int in) const { return {data, 1, in}; }

    static Vector at(const float* rows, int64_t row, int channels, int c) {
        return *(const Vector*)(rows + row * whole(channels) + c);
    }

    float share(const Inputs& in, int edge) const {
        return in.edge_weights ? in.edge_weights[origin * s.k + edge] : 1.f / float(s.k);
    }

    // to (channels, edges) from a function that gives one vector of an edge's channels; zero past the edges.
    template <class Row>
    void fill(Matrix to, int channels, int shift, Row row) {
        for (int edge = 0; edge < wide; edge += WIDE)
            for (int c = 0; c < channels; c += WIDE) {
                Vector square[WIDE];
                for (int lane = 0; lane < WIDE; lane++)
                    square[lane] = edge + lane < edges ? row(edge + lane, c) : Vector{};
                turn(square);
                for (int lane = 0; lane < WIDE; lane++)
                    *(Vector*)(to[c + lane] + shift + edge) = square[lane];
            }
    }

    void gather(const Inputs& in, const Weights& w) {
        const int32_t* source = in.neighbours + origin * s.k;
        fill(pre1, s.n, 0, [&](int edge, int c) {
            return at(in.scalars_j, source[edge], s.n, c) + at(in.scalars_i, origin + edge / s.k, s.n, c);
        });
        for (int axis = 0; axis < 3; axis++) {
            const int64_t shift = axis * s.residues;
            const float* along = in.edge_v + (shift + origin) * s.k * s.w;
            fill(first.hidden, s.h, axis * wide, [&](int edge, int c) {
                Vector sum = at(in.vectors_j, shift + source[edge], s.h, c) + at(in.vectors_i, shift + origin + edge / s.k, s.h, c);
                for (int i = 0; i < s.w; i++) sum += at(w.hidden1_t, i, s.h, c) * along[edge * s.w + i];
                return sum;
            });
        }
        const float *rows = in.edge_s + origin * s.k * s.e, *end = in.edge_s + s.residues * s.k * s.e;
        fill(x1, s.e, 0, [&](int edge, int c) {
            const float* from = rows + int64_t(edge) * s.e + c;
            if (end - from >= WIDE) return Vector(*(const Loose*)from);
            Vector last{};
            std::memcpy(&last, from, size_t(end - from) * sizeof(float));
            return last;
        });
    }

    void lengths(Matrix to, Matrix vectors, int channels) {
        for (int c = 0; c < channels; c++)
            for (int t = 0; t < wide; t += WIDE) {
                const float* from = vectors[c] + t;
                Vector x = *(Vector*)from, y = *(Vector*)(from + wide), z = *(Vector*)(from + 2 * wide);
                *(Vector*)(to[c] + t) = root(x * x + y * y + z * z + 1e-8f);
            }
    }

    // [relu(pre), lengths of hidden, 1]
    void scalars_and_lengths(Matrix x, Matrix pre, Matrix hidden) {
        for (int c = 0; c < s.n; c++)
            for (int t = 0; t < wide; t += WIDE) {
                Vector value = *(Vector*)(pre[c] + t);
                *(Vector*)(x[c] + t) = value < 0.f ? Vector{} : value;
            }
        lengths(x.from(s.n), hidden, s.v);
        std::fill_n(x[s.n + s.v], wide, 1.f);
    }

    void gate(Gated& g, const float* w, const float* bias, Matrix x, int in) {
        product(g.gate, weight(w, in), x, s.v, in, wide, bias ? Start::bias : Start::zero, bias);
        for (int c = 0; c < s.v; c++)
            for (int t = 0; t < wide; t += WIDE) {
                Vector* value = (Vector*)(g.gate[c] + t);
                *value = sigmoid(*value);
            }
    }

    void flow(Gated& g, const float* w, int in) {
        product(g.flow, weight(w, in), g.hidden, s.v, in, 3 * wide);
        times_gate(g.out, g.flow, g.gate);
    }

    void times_gate(Matrix to, Matrix from, Matrix gate) {
        for (int c = 0; c < s.v; c++)
            for (int axis = 0; axis < 3; axis++)
                for (int t = 0; t < wide; t += WIDE)
                    *(Vector*)(to[c] + axis * wide + t) = *(Vector*)(from[c] + axis * wide + t) * *(Vector*)(gate[c] + t);
    }

    void mean(const Inputs& in, int residue, int shift, int channels, float* to) {
        for (int c = 0; c < channels; c += WIDE) {
            Vector sum{};
            for (int edge = residue * s.k; edge < (residue + 1) * s.k; edge++)
                sum += *(Vector*)(turned[shift + edge] + c) * share(in, edge);
            store(to + c, sum, channels - c);
        }
    }

    // grad_gate from grad_out, before the sigmoid, and the gradient of the gate's weight.
    void gate_backward(Gated& g, Matrix d_weight, Matrix* d_bias, Matrix x, int in) {
        for (int c = 0; c < s.v; c++)
            for (int t = 0; t < wide; t += WIDE) {
                Vector sum{}, gate = *(Vector*)(g.gate[c] + t);
                for (int axis = 0; axis < 3; axis++)
                    sum += *(Vector*)(grad_out[c] + axis * wide + t) * *(Vector*)(g.flow[c] + axis * wide + t);
                *(Vector*)(grad_gate[c] + t) = sum * gate * (1.f - gate);
            }
        transpose(turned, grad_gate, s.v, wide);
        product(d_weight, Factor(x), turned, in, wide, s.v, Start::add);
        if (!d_bias) return;
        for (int t = 0; t < wide; t++)
            for (int c = 0; c < s.v; c += WIDE) *(Vector*)(d_bias->data + c) += *(Vector*)(turned[t] + c);
    }

    // grad_pre through the gate and, from grad, through the relu.
    void scalar_backward(Matrix pre, const float* gate) {
        for (int c = 0; c < s.n; c++)
            for (int t = 0; t < wide; t += WIDE) {
                Vector value = *(Vector*)(pre[c] + t), above = *(Vector*)(grad[c] + t);
                *(Vector*)(grad_pre[c] + t) = value > 0.f ? above : Vector{};
            }
        product(grad_pre, transposed(gate, s.n), grad_gate, s.n, s.v, wide, Start::add);
    }

    // grad_hidden from grad_out and from the gradient of the lengths.
    void vector_backward(Gated& g, const float* vector, Matrix d_vector, Matrix length, Matrix grad_length, int in) {
        times_gate(grad_flow, grad_out, g.gate);
        transpose(turned, grad_flow, s.v, 3 * wide);
        product(d_vector, Factor(g.hidden), turned, in, 3 * wide, s.v, Start::add);
        product(grad_hidden, transposed(vector, in), grad_flow, in, s.v, 3 * wide);
        for (int c = 0; c < in; c++)
            for (int t = 0; t < wide; t += WIDE) {
                Vector by = *(Vector*)(grad_length[c] + t) / *(Vector*)(length[c] + t);
                for (int axis = 0; axis < 3; axis++)
                    *(Vector*)(grad_hidden[c] + axis * wide + t) += *(Vector*)(g.hidden[c] + axis * wide + t) * by;
            }
    }

    // grad_out of the GVP before, and the gradient of the map between.
    void linear_backward(Matrix out, const float* weight, Matrix d_weight, int channels) {
        transpose(turned, grad_hidden, channels, 3 * wide);
        product(d_weight, Factor(out), turned, channels, 3 * wide, channels, Start::add);
        product(grad_out, transposed(weight, channels), grad_hidden, channels, channels, 3 * wide);
    }

    // Rows of `turned` to their source residues, and their sum over a residue's edges.
    void scatter(const Inputs& in, Matrix to, int64_t low, int shift, int channels, float* sums) {
        const int32_t* source = in.neighbours + origin * s.k;
        for (int i = 0; i < here; i++)
            for (int c = 0; c < channels; c += WIDE) {
                Vector sum{};
                for (int edge = i * s.k; edge < (i + 1) * s.k; edge++) {
                    Vector value = *(Vector*)(turned[shift + edge] + c);
                    *(Vector*)(to[int(source[edge] - low)] + c) += value;
                    sum += value;
                }
                store(sums + (origin + i) * channels + c, sum, channels - c);
            }
    }
};

}  // namespace
