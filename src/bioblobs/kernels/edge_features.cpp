// What an edge of the residue graph carries, from the C-alphas, in one pass on a processor; graphs/residue_graph.py
// says what it computes and names the same things alike.

#include "tiles.h"

#include <cmath>
#include <vector>

namespace {

constexpr float LEAST_EXPONENT = -120.f;  // of two: as good as zero, and a normal number

}  // namespace

extern "C" {

// Returns 0. `sizes`: N, k, atoms a residue, C-alpha among them, Gaussians, reach. `longest`: centre of the last Gaussian.
int edge_features(const int64_t* sizes, const float* coordinates, const int64_t* positions, const int32_t* neighbours,
                  float longest, int threads, float* radial, float* edge_v, int32_t* offsets) {
    const int64_t residues = sizes[0], k = sizes[1], atoms = sizes[2], ca = sizes[3], reach = sizes[5];
    const int count = int(sizes[4]);
    // e^(-x^2) is 2^(-(unit x)^2).
    const float unit = std::sqrt(float(M_LOG2E)), widths = unit * float(count) / longest;  // of a Gaussian, in an angstrom
    std::vector<float> centres(static_cast<size_t>(whole(count)));
    for (int c = 0; c < count; c++) centres[size_t(c)] = unit * float(c * count) / float(std::max(count - 1, 1));
#pragma omp parallel num_threads(threads)
    {
        std::vector<float> scaled(static_cast<size_t>(k));  // distances
#pragma omp for schedule(static)
        for (int64_t i = 0; i < residues; i++) {
            const float* to = coordinates + (i * atoms + ca) * 3;
            float *x = edge_v + i * k, *y = x + residues * k, *z = y + residues * k;
            for (int64_t edge = 0; edge < k; edge++) {
                const int64_t j = neighbours[i * k + edge];
                const float* from = coordinates + (j * atoms + ca) * 3;
                const float dx = from[0] - to[0], dy = from[1] - to[1], dz = from[2] - to[2];
                const float distance = std::sqrt(dx * dx + dy * dy + dz * dz), scale = 1.f / std::max(distance, 1e-6f);
                x[edge] = dx * scale, y[edge] = dy * scale, z[edge] = dz * scale;
                offsets[i * k + edge] = int32_t(positions[j] - positions[i] + reach);
                scaled[size_t(edge)] = distance * widths;
            }
            for (int c = 0; c < count; c += WIDE) {
                const Vector centre = *(const Loose*)(centres.data() + c);
                float* row = radial + i * k * count + c;
                for (int64_t edge = 0; edge < k; edge++) {
                    const Vector gap = scaled[size_t(edge)] - centre, exponent = -gap * gap;
                    const Vector bounded = exponent < LEAST_EXPONENT ? Vector{} + LEAST_EXPONENT : exponent;
                    store(row + edge * count, power_of_two(bounded), count - c);
                }
            }
        }
    }
    return 0;
}
}
