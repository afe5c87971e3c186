// The blobs of a batch, one slot after another, on a CPU; reference.py says what it computes and names the
// same things alike. Proteins do not see one another: each goes through all its slots by itself, and only residues
// near a seed are looked at where operations on whole tensors look at all of them.

#include "../tiles.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

struct Sizes {
    int64_t proteins, residues;
    int width, heads, slots, most, hops;
};

struct Inputs {
    const float *x, *projected, *keys, *context, *seed_context, *seed_logit, *query, *alpha;
    const float *threshold, *threshold_bias, *theta, *theta_bias, *update, *update_bias;
    const float *tau, *noise;  // noise (S, N) or null
    const int64_t* starts;
    const int32_t *pointer, *source;  // edges, sorted by target
    float enough, context_step;
};

// What a slot leaves behind; each has the slot as its first dimension.
struct Slots {
    int64_t* rows;
    float *active, *size, *blob, *choice, *p, *into, *hidden, *query, *threshold_in, *threshold_hidden, *step;
};

float dot(const float* a, const float* b, int count) {
    Vector sum{};
    int c = 0;
    for (; c + WIDE <= count; c += WIDE) sum += *(const Loose*)(a + c) * *(const Loose*)(b + c);
    float total = 0;
    for (int lane = 0; lane < WIDE; lane++) total += sum[lane];
    for (; c < count; c++) total += a[c] * b[c];
    return total;
}

// weight (rows, columns) times a vector, plus a bias where there is one.
void linear(const float* weight, const float* bias, const float* in, int rows, int columns, float* to) {
    for (int i = 0; i < rows; i++) to[i] = dot(weight + int64_t(i) * columns, in, columns) + (bias ? bias[i] : 0.f);
}

// e to the power of each, in place.
void exponentials(float* values, int count) {
    for (int i = 0; i < count; i += WIDE) {
        Vector some{};
        std::memcpy(&some, values + i, sizeof(float) * size_t(std::min(WIDE, count - i)));
        store(values + i, exponential(some), count - i);
    }
}

class Protein {
  public:
    Protein(const Sizes& sizes, const Inputs& inputs, const Slots& slots, int64_t number)
        : s(sizes), in(inputs), out(slots), number(number), start(in.starts[number]),
          length(int((number + 1 < s.proteins ? in.starts[number + 1] : s.residues) - start)),
          context(in.context + number * s.width, in.context + (number + 1) * s.width),
          free(size_t(length), 1), candidate(size_t(length)), edges(size_t(length)), head(size_t(s.heads)) {}

    void grow() {
        const float enough = std::min(in.enough, 1.f) * float(length);
        float covered = 0;
        bool active = length > 0;
        for (int slot = 0; slot < s.slots; slot++) {
            row = slot * s.proteins + number, first = slot * s.residues + start;
            for (float* each : {out.p, out.into}) std::fill_n(each + first, length, 0.f);
            std::fill_n(out.rows + row * s.most, s.most, s.residues);
            out.active[row] = float(active);
            members.clear();
            if (active) {
                const int seed = choose(in.noise ? in.noise + first : nullptr);
                members.push_back(seed), free[size_t(seed)] = 0;
                reach(seed);
                const float theta = threshold(seed);
                linear(in.query, nullptr, of(in.x, seed, s.width), s.heads, s.width, out.query + row * s.heads);
                join(theta);
                for (size_t i = 0; i < members.size(); i++) out.rows[row * s.most + int64_t(i)] = start + members[i];
            } else {
                leave_empty();
            }
            finish(active);
            covered += float(members.size());
            active = active && covered < enough;
        }
    }

  private:
    const Sizes& s;
    const Inputs& in;
    const Slots& out;
    const int64_t number, start;
    const int length;
    std::vector<float> context;
    std::vector<char> free, candidate;  // of each residue: in no blob yet; considered in this slot
    std::vector<int> edges;             // of each candidate: into the blob
    std::vector<float> head;
    std::vector<int> candidates, members;  // candidates in the order of the chain, members in that of their joining
    std::vector<std::pair<float, int>> ranked;
    int64_t row = 0, first = 0;  // of this slot: in arrays of blobs, and in those of residues

    const float* of(const float* rows, int residue, int columns) const { return rows + (start + residue) * columns; }

    template <class Each>
    void neighbours(int residue, Each each) const {
        const int32_t* end = in.source + in.pointer[start + residue + 1];
        for (const int32_t* j = in.source + in.pointer[start + residue]; j < end; j++)
            if (*j >= start && *j < start + length) each(int(*j - start));  // within the protein
    }

    float degree(int residue) const {
        return float(std::max(1, in.pointer[start + residue + 1] - in.pointer[start + residue]));
    }

    // The free residue of the highest logit; leaves the softmax of the logits and the hidden layer behind.
    int choose(const float* noise) {
        linear(in.seed_context, nullptr, context.data(), s.heads, s.width, head.data());
        float *logits = out.choice + first, top = 0;
        int seed = -1;
        for (int i = 0; i < length; i++) {
            const float* projected = of(in.projected, i, s.heads);
            float* hidden = out.hidden + (first + i) * s.heads;
            for (int c = 0; c < s.heads; c++) hidden[c] = std::max(projected[c] + head[size_t(c)], 0.f);
            logits[i] = dot(hidden, in.seed_logit, s.heads);
            if (noise) logits[i] = (logits[i] + noise[i]) / *in.tau;
            if (free[size_t(i)] && (seed < 0 || logits[i] > top)) seed = i, top = logits[i];
        }
        for (int i = 0; i < length; i++) logits[i] -= top;
        exponentials(logits, length);
        float total = 0;
        for (int i = 0; i < length; i++) total += logits[i] = free[size_t(i)] ? logits[i] : 0.f;
        for (int i = 0; i < length; i++) logits[i] /= total;
        return seed;
    }

    // Candidates: free residues within so many edges of the seed, over free ones.
    void reach(int seed) {
        for (int i : candidates) candidate[size_t(i)] = 0;
        candidates.clear();
        size_t begin = 0;
        for (int hop = 0; hop < s.hops; hop++) {
            const size_t end = candidates.size();
            const auto add = [&](int i) {
                if (!free[size_t(i)] || candidate[size_t(i)]) return;
                candidate[size_t(i)] = 1, edges[size_t(i)] = 0;
                candidates.push_back(i);
            };
            if (hop == 0) neighbours(seed, add);
            for (; begin < end; begin++) neighbours(candidates[begin], add);
        }
        std::sort(candidates.begin(), candidates.end());
    }

    // Of the affinity, from the seed, the context and what the surroundings are like.
    float threshold(int seed) {
        const int columns = 2 * s.width + 3;
        float *given = out.threshold_in + row * columns, *hidden = out.threshold_hidden + row * s.heads;
        const float n = float(candidates.size());
        int within = 0, of_seed = 0;
        for (int i : candidates) neighbours(i, [&](int j) { within += candidate[size_t(j)]; });
        neighbours(seed, [&](int j) { of_seed += candidate[size_t(j)]; });
        std::copy_n(of(in.x, seed, s.width), s.width, given);
        std::copy_n(context.data(), s.width, given + s.width);
        given[columns - 3] = std::log1p(n);
        given[columns - 2] = float(of_seed) / degree(seed);
        given[columns - 1] = float(within) / std::max(n * (n - 1), 1.f);
        linear(in.threshold, in.threshold_bias, given, s.heads, columns, hidden);
        for (int c = 0; c < s.heads; c++) hidden[c] = std::max(hidden[c], 0.f);
        return dot(in.theta, hidden, s.heads) + *in.theta_bias;
    }

    // Rounds in which the best candidates next to the blob become members.
    void join(float theta) {
        size_t counted = 0;  // members whose edges are
        for (int hop = 0; hop < s.hops; hop++) {
            for (; counted < members.size(); counted++) neighbours(members[counted], [&](int j) { edges[size_t(j)]++; });
            ranked.clear();
            for (int i : candidates) {
                if (!free[size_t(i)] || !edges[size_t(i)]) continue;
                const float share = float(edges[size_t(i)]) / degree(i);
                const float affinity = dot(of(in.keys, i, s.heads), out.query + row * s.heads, s.heads) - theta;
                const float score = affinity + *in.alpha * share;
                out.p[first + i] = 1.f / (1.f + std::exp(-score / *in.tau));
                out.into[first + i] = share;
                if (score > 0) ranked.emplace_back(score, i);
            }
            std::stable_sort(ranked.begin(), ranked.end(), [](auto& a, auto& b) { return a.first > b.first; });
            const size_t room = size_t(s.most) - members.size();
            for (size_t i = 0; i < std::min(room, ranked.size()); i++) {
                members.push_back(ranked[i].second);
                free[size_t(ranked[i].second)] = 0;
            }
        }
    }

    // What a slot leaves behind of a protein that is done.
    void leave_empty() {
        std::fill_n(out.choice + first, length, 0.f);
        std::fill_n(out.hidden + first * s.heads, int64_t(length) * s.heads, 0.f);
        std::fill_n(out.query + row * s.heads, s.heads, 0.f);
        std::fill_n(out.threshold_in + row * (2 * s.width + 3), 2 * s.width + 3, 0.f);
        std::fill_n(out.threshold_hidden + row * s.heads, s.heads, 0.f);
    }

    // The blob, mean over its members, and the step of the context toward it.
    void finish(bool active) {
        float *blob = out.blob + row * s.width, *step = out.step + row * s.width;
        out.size[row] = float(members.size());
        std::fill_n(blob, s.width, 0.f);
        const float share = active ? 1.f / float(members.size()) : 0.f;
        for (int i : members) {
            const float* from = of(in.x, i, s.width);
            for (int c = 0; c < s.width; c++) blob[c] += from[c] * share;
        }
        linear(in.update, in.update_bias, blob, s.width, s.width, step);
        for (int c = 0; c < s.width; c++) {
            step[c] = std::tanh(step[c]);
            if (active) context[size_t(c)] += in.context_step * step[c];
        }
    }
};

}  // namespace

extern "C" {

// Returns 0. `sizes`: B, N, D, h, S, most members, hops. `enough`: share of a protein that is to be covered.
int grow_slots(const int64_t* sizes, const void* const* given, float enough, float context_step, int threads,
               void* const* made) {
    const Sizes s{sizes[0], sizes[1], int(sizes[2]), int(sizes[3]), int(sizes[4]), int(sizes[5]), int(sizes[6])};
    const auto from = [&](int i) { return static_cast<const float*>(given[i]); };
    const auto to = [&](int i) { return static_cast<float*>(made[i]); };
    const Inputs in{from(0), from(1), from(2), from(3), from(4), from(5), from(6), from(7), from(8), from(9), from(10),
                    from(11), from(12), from(13), from(14), from(15), static_cast<const int64_t*>(given[16]),
                    static_cast<const int32_t*>(given[17]), static_cast<const int32_t*>(given[18]), enough, context_step};
    const Slots out{static_cast<int64_t*>(made[0]), to(1), to(2), to(3), to(4), to(5), to(6), to(7), to(8), to(9), to(10), to(11)};
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t number = 0; number < s.proteins; number++) Protein(s, in, out, number).grow();
    return 0;
}
}
