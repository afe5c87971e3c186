// What a residue carries, from its backbone, on a processor; graphs/backbone.py says what it computes and names the
// same things alike. Residues go in blocks, whose atoms, bonds and planes lie axis by axis, so that the compiler's
// loops over them are loops over vectors.

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace {

constexpr int BLOCK = 64;               // residues
constexpr int ATOMS = 3 * (BLOCK + 3);  // of the backbone, with the residue before a block and two after it
// Loops over atoms go past their end to a whole number of vectors: what is left over would be rounded otherwise, and
// a residue's features would depend on its place in the batch.
constexpr int WHOLE = (ATOMS + 15) / 16 * 16;
constexpr int ROOM = WHOLE + 16;

struct Row {
    float x[ROOM], y[ROOM], z[ROOM];
};

struct Point {
    float x, y, z;
};

Point at(const Row& row, int i) { return {row.x[i], row.y[i], row.z[i]}; }
Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
Point operator*(Point a, float by) { return {a.x * by, a.y * by, a.z * by}; }
Point unit(Point a) { return a * (1.f / std::max(std::sqrt(a.x * a.x + a.y * a.y + a.z * a.z), 1e-12f)); }

struct Block {
    Row atoms, bonds, planes;
    float length[ROOM], cosine[ROOM], sine[ROOM];

    // Atom 0 is the N of residue `before`; beyond the ends of the batch its first and last residues stand in.
    void load(const float* coordinates, int64_t residues, int64_t per_residue, int64_t before) {
        for (int i = 0; i < ROOM / 3; i++) {
            const int64_t residue = std::min(std::max<int64_t>(before + i, 0), residues - 1);
            const float* from = coordinates + residue * per_residue * 3;
            for (int atom = 0; atom < 3; atom++) {
                atoms.x[3 * i + atom] = from[3 * atom];
                atoms.y[3 * i + atom] = from[3 * atom + 1];
                atoms.z[3 * i + atom] = from[3 * atom + 2];
            }
        }
    }

    void angles() {
        for (int i = 0; i < WHOLE + 2; i++) {
            bonds.x[i] = atoms.x[i + 1] - atoms.x[i];
            bonds.y[i] = atoms.y[i + 1] - atoms.y[i];
            bonds.z[i] = atoms.z[i + 1] - atoms.z[i];
            length[i] = std::sqrt(bonds.x[i] * bonds.x[i] + bonds.y[i] * bonds.y[i] + bonds.z[i] * bonds.z[i]);
        }
        for (int i = 0; i < WHOLE + 1; i++) {
            planes.x[i] = bonds.y[i] * bonds.z[i + 1] - bonds.z[i] * bonds.y[i + 1];
            planes.y[i] = bonds.z[i] * bonds.x[i + 1] - bonds.x[i] * bonds.z[i + 1];
            planes.z[i] = bonds.x[i] * bonds.y[i + 1] - bonds.y[i] * bonds.x[i + 1];
        }
        for (int i = 0; i < WHOLE; i++) {
            const float x = planes.x[i + 1], y = planes.y[i + 1], z = planes.z[i + 1];
            const float c = planes.x[i] * x + planes.y[i] * y + planes.z[i] * z;
            const float s = (bonds.x[i] * x + bonds.y[i] * y + bonds.z[i] * z) * length[i + 1];
            const float square = c * c + s * s;
            const bool none = square < 1e-30f;  // three atoms in line or in one place: an angle of zero
            const float scale = 1.f / std::sqrt(none ? 1.f : square);
            cosine[i] = none ? 1.f : c * scale, sine[i] = none ? 0.f : s * scale;
        }
    }
};

}  // namespace

extern "C" {

// Returns 0. `sizes`: N, atoms a residue. `longest`: of a peptide bond. Out: (N, 6) and (3, N, 3).
int node_features(const int64_t* sizes, const float* coordinates, const int64_t* batch, float longest, int threads,
                  float* node_s, float* node_v) {
    const int64_t residues = sizes[0];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t start = 0; start < residues; start += BLOCK) {
        Block block;
        block.load(coordinates, residues, sizes[1], start - 1);
        block.angles();
        const auto bonded = [&](int64_t residue) {  // to the next
            const bool inside = residue >= 0 && residue + 1 < residues && batch[residue] == batch[residue + 1];
            return inside && block.length[3 * (residue - start + 1) + 2] <= longest;
        };
        for (int64_t i = start; i < std::min(start + BLOCK, residues); i++) {
            const int n = 3 * int(i - start + 1), ca = n + 1, previous_c = n - 1, previous_ca = n - 2;
            const bool before = bonded(i - 1), after = bonded(i);
            const int begins[] = {previous_c, n, ca};  // phi, psi, omega
            const bool defined[] = {before, after, after};
            for (int angle = 0; angle < 3; angle++) {
                node_s[i * 6 + angle] = defined[angle] ? block.cosine[begins[angle]] : 0.f;
                node_s[i * 6 + 3 + angle] = defined[angle] ? block.sine[begins[angle]] : 0.f;
            }
            const Point here = at(block.atoms, ca);
            const Point across = unit(unit(at(block.bonds, n)) - unit(at(block.bonds, ca)));
            const Point normal = unit(at(block.planes, n));
            const Point made[] = {
                unit(at(block.atoms, ca + 3) - here) * float(after),
                unit(at(block.atoms, previous_ca) - here) * float(before),
                across * std::sqrt(1.f / 3) - normal * std::sqrt(2.f / 3),
            };
            for (int channel = 0; channel < 3; channel++) {
                node_v[i * 3 + channel] = made[channel].x;
                node_v[(residues + i) * 3 + channel] = made[channel].y;
                node_v[(2 * residues + i) * 3 + channel] = made[channel].z;
            }
        }
    }
    return 0;
}
}
