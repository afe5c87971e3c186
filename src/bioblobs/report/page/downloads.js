// What a reader takes along: the picture of the 3-D view, and the structure with contributions as B-factors.
function saveFile(name, address) {
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

/** A name that every file system takes. */
const fileName = (id, ending) => `${id.replace(/[^\w.-]+/g, "_").slice(0, 80) || "protein"}.${ending}`;

function saveText(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  saveFile(name, address);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** mmCIF of the backbone, as the author numbered it; B-factors are contributions to the predicted class (or attention weights), 0 in no blob. */
function cifText(protein) {
  const coordinates = unpackCoordinates(protein.chain.backbone);
  const labels = authorLabels(protein.chain.numbering);
  const values = new Array(protein.length).fill(0);
  for (const blob of protein.blobs) for (const residue of blob.residues) values[residue] = protein.sum ? blob.contributions[0] : blob.importance;
  const columns = ["group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id", "label_entity_id", "label_seq_id",
    "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy", "B_iso_or_equiv", "auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num"];
  const rows = [];
  labels.forEach((label, residue) => {
    const [, chain, number, insertion] = /^(.*)\/(-?\d+)(.*)$/.exec(label);
    ATOM_NAMES.forEach((atom, place) => {
      const at = 12 * residue + 3 * place;
      if (Number.isNaN(coordinates[at])) return;
      const xyz = [0, 1, 2].map((axis) => coordinates[at + axis].toFixed(3));
      rows.push(["ATOM", rows.length + 1, atom[0], atom, ".", THREE_LETTERS[protein.chain.sequence[residue]] ?? "UNK", quoted(chain), 1, residue + 1,
        insertion || "?", ...xyz, "1.00", values[residue].toFixed(3), number, quoted(chain), 1].join(" "));
    });
  });
  return [`data_${protein.id.replace(/[^\w.-]+/g, "_") || "protein"}`, "#", "loop_", ...columns.map((name) => `_atom_site.${name}`), ...rows, "#", ""].join("\n");
}

const quoted = (name) => (name.trim() ? (/^[\w]+$/.test(name) ? name : `"${name.replaceAll('"', "'")}"`) : "A");
