// Packed chains (report/packed_chains.py) -> coordinates, author labels, and PDB text for the 3-D library.
const MISSING = -32768;
const NUMBERS_OF_A_CHAIN = 9000; // PDB has four columns for a residue number
const THREE_LETTERS = { A: "ALA", C: "CYS", D: "ASP", E: "GLU", F: "PHE", G: "GLY", H: "HIS", I: "ILE", K: "LYS",
  L: "LEU", M: "MET", N: "ASN", P: "PRO", Q: "GLN", R: "ARG", S: "SER", T: "THR", V: "VAL", W: "TRP", Y: "TYR" };
const ATOM_NAMES = ["N", "CA", "C", "O"];

/** Base64 int16 steps -> 12 numbers a residue (N, CA, C, O; x, y, z), NaN where an atom is missing. */
function unpackCoordinates(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 2 }, (_, at) => {
    const steps = view.getInt16(2 * at, true);
    return steps === MISSING ? NaN : steps * packed.step + packed.centre[at % 3];
  });
}

/** Runs of author numbers -> one label a residue, as in A/52A. */
function authorLabels(runs) {
  return runs.flatMap(([chain, first, length, insertion]) =>
    Array.from({ length }, (_, step) => `${chain}/${first + step}${insertion}`));
}

/** Chain letter and number of each residue in the PDB text; a number is skipped at each break of the chain. */
function pdbNumbers(chain) {
  let number = 0;
  const broken = new Set(chain.breaks);
  return Array.from(chain.sequence, (_, residue) => {
    number += broken.has(residue) ? 2 : 1;
    const block = Math.floor(number / NUMBERS_OF_A_CHAIN);
    return { chain: String.fromCharCode(65 + (block % 26)), number: number % NUMBERS_OF_A_CHAIN };
  });
}

function pdbText(sequence, coordinates, numbers) {
  const middle = chainCentre(coordinates); // eight columns a coordinate: keep numbers small
  const lines = [];
  for (let residue = 0; residue < sequence.length; residue++) {
    const name = THREE_LETTERS[sequence[residue]] ?? "UNK";
    const { chain, number } = numbers[residue];
    ATOM_NAMES.forEach((atom, place) => {
      const at = 12 * residue + 3 * place;
      if (Number.isNaN(coordinates[at])) return;
      const xyz = [0, 1, 2].map((axis) => (coordinates[at + axis] - middle[axis]).toFixed(3).padStart(8)).join("");
      const serial = String((lines.length + 1) % 100000).padStart(5);
      lines.push(`ATOM  ${serial}  ${atom.padEnd(3)} ${name} ${chain}${String(number).padStart(4)}    ${xyz}` +
        `  1.00  0.00           ${atom[0]}`);
    });
  }
  return [...lines, "END", ""].join("\n");
}

function chainCentre(coordinates) {
  const sums = [0, 0, 0];
  for (let at = 3; at < coordinates.length; at += 12) for (let axis = 0; axis < 3; axis++) sums[axis] += coordinates[at + axis];
  return sums.map((sum) => sum / (coordinates.length / 12));
}

/** Ascending residue indices as short ranges of author labels: A/52–55, A/60. */
function residueRanges(residues, labels) {
  const ranges = [];
  for (const residue of residues) {
    const last = ranges.at(-1);
    if (last && last[1] === residue - 1) last[1] = residue;
    else ranges.push([residue, residue]);
  }
  return ranges.map(([from, to]) => (from === to ? labels[from] : `${labels[from]}–${labels[to].replace(/^.*\/(?=-?\d+.?$)/s, "")}`)).join(", ");
}
