// The 3-D view: 3Dmol.js draws the backbone; blobs are coloured, numbered, and can be picked.
const structureView = (() => {
  let viewer = null;
  let shown = null; // { protein, labels, blobOf, indexOf, actions }
  let chosen = null, pointed = null;
  const stage = byId("stage"), tip = byId("tip");

  /** False where the browser has no WebGL. */
  function start() {
    if (viewer) return true;
    viewer = createViewer(byId("canvas"));
    if (!viewer) return unavailable();
    viewer.setHoverDuration(60);
    return true;
  }

  function unavailable() {
    const notice = byId("stage-missing");
    notice.textContent = "The 3-D view needs WebGL, which this browser doesn't offer or has switched off. " +
      "Blobs, residues and codes are listed all the same.";
    notice.hidden = false;
    byId("view-tools").hidden = true;
    stage.removeAttribute("tabindex");
    return false;
  }

  function show(protein, labels, blobOf, actions) {
    const coordinates = unpackCoordinates(protein.chain.backbone);
    const numbers = pdbNumbers(protein.chain);
    const indexOf = new Map(numbers.map(({ chain, number }, residue) => [`${chain}${number}`, residue]));
    shown = { protein, labels, blobOf, indexOf, actions };
    chosen = pointed = null;
    tip.hidden = true; // of the protein before, where the pointer still rests on it
    if (!start()) return;
    viewer.removeAllModels();
    viewer.addModel(pdbText(protein.chain.sequence, coordinates, numbers), "pdb");
    viewer.setHoverable({}, true, (atom, _, event) => hover(residueOf(atom), event), leave);
    viewer.setClickable({}, true, (atom) => pick(residueOf(atom)));
    viewer.resize();
    viewer.zoomTo();
    draw();
  }

  /** After a move to another place of the page. */
  function fit() {
    viewer?.resize();
  }

  const residueOf = (atom) => shown.indexOf.get(`${atom.chain}${atom.resi}`);

  function pick(residue) {
    const blob = shown.blobOf[residue];
    shown.actions.pick(blob ? blob.slot : null);
  }

  function leave() {
    tip.hidden = true;
    shown.actions.point(null);
  }

  function hover(residue, event) {
    if (residue === undefined) return;
    tip.textContent = describeResidue(shown.protein, shown.labels, shown.blobOf, residue);
    tip.hidden = false;
    shown.actions.point(shown.blobOf[residue]?.slot ?? null);
    const box = stage.getBoundingClientRect();
    const [x, y] = event && event.clientX !== undefined
      ? [event.clientX - box.left, event.clientY - box.top] : [12, 12];
    tip.style.left = `${Math.max(4, Math.min(x + 14, box.width - tip.offsetWidth - 6))}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 14, box.height - tip.offsetHeight - 6))}px`;
  }

  function colourOf(blob) {
    if (!blob) return colour("rest");
    if (chosen !== null && blob.slot !== chosen) return colour("rest");
    return colouring.of(blob);
  }

  function draw() {
    if (!viewer) return;
    viewer.setBackgroundColor(colour("canvas"));
    const colours = shown.blobOf.map(colourOf);
    const paint = (atom) => colours[residueOf(atom)];
    viewer.setStyle({}, { cartoon: { colorfunc: paint, thickness: 0.35, arrows: true } });
    for (const blob of shown.protein.blobs) {
      const radius = chosen === blob.slot ? 1.05 : chosen === null ? 0.65 : 0.35;
      const members = new Set(blob.residues);
      viewer.addStyle({ atom: "CA", predicate: (atom) => members.has(residueOf(atom)) },
        { sphere: { radius, colorfunc: paint } });
    }
    number();
    viewer.render();
  }

  function number() {
    viewer.removeAllLabels();
    for (const blob of shown.protein.blobs) {
      if (chosen !== null && blob.slot !== chosen) continue;
      const background = colourOf(blob);
      viewer.addLabel(blobNumber(blob), {
        backgroundColor: background, backgroundOpacity: 1, fontColor: textOn(background), bold: true,
        fontSize: pointed === blob.slot ? 20 : 13, borderColor: colour("mark"), borderThickness: pointed === blob.slot ? 3 : 1, padding: 3, inFront: true, alignment: "center",
      }, { atom: "CA", predicate: (atom) => residueOf(atom) === blob.seed });
    }
  }

  function select(blob) {
    chosen = blob;
    byId("zoom-blob").disabled = blob === null;
    if (viewer) draw();
  }

  /** The number of a blob that is pointed at elsewhere stands out. */
  function point(blob) {
    if (pointed === blob) return;
    pointed = blob;
    if (!viewer) return;
    number();
    viewer.render();
  }

  function zoomToBlob() {
    const blob = shown.protein.blobs.find((each) => each.slot === chosen);
    if (!viewer || !blob) return;
    const members = new Set(blob.residues);
    viewer.zoomTo({ predicate: (atom) => members.has(residueOf(atom)) });
    viewer.zoom(0.6);
  }

  /** The view as PNG, with a white or dark ground as on the screen. */
  function savePicture() {
    if (viewer) saveFile(fileName(shown.protein.id, "png"), viewer.pngURI());
  }

  turnByKeys(stage, () => viewer);
  byId("save-picture").addEventListener("click", savePicture);
  byId("save-structure").addEventListener("click", () => shown && saveText(fileName(shown.protein.id, "cif"), cifText(shown.protein)));
  colouring.listen(() => shown && draw());
  byId("zoom-blob").addEventListener("click", zoomToBlob);
  byId("reset-view").addEventListener("click", () => viewer && viewer.zoomTo());
  return { show, fit, select, point };
})();

/** What is said of a residue that is pointed at: its number, blob, contribution or attention weight, and code. */
function describeResidue(protein, labels, blobOf, residue) {
  const letter = protein.chain.sequence[residue];
  const blob = blobOf[residue];
  const name = `${labels[residue]} ${THREE_LETTERS[letter] ?? "UNK"}`;
  if (!blob) return `${name}, in no blob`;
  const code = blob.code === null ? "" : `, code ${blob.code}`;
  return `${name}, blob ${blobNumber(blob)}, ${share(protein, blob)}${code}`;
}

/** What a blob does: its contribution to the class that is shown, or its attention weight. */
function share(protein, blob) {
  if (!protein.sum) return `attention weight ${percent(blob.importance, 1)}`;
  const at = colouring.place() ?? 0;
  const largest = Math.max(...protein.blobs.map((each) => Math.abs(each.contributions[at])));
  return `contribution ${signed(blob.contributions[at], largest)} to ${className(protein.sum[at].class)}`;
}
