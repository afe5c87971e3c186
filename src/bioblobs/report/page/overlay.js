// Windows of a code laid on its medoid's, in 3-D: in one viewer for all codes.
const overlayView = (() => {
  const canvas = h("div", { class: "canvas" });
  const stage = h("div", { id: "overlay-stage", class: "stage", tabindex: "0", role: "group",
    "aria-label": "Overlay in 3-D. Arrow keys turn it, plus and minus zoom." }, canvas);
  const missing = "The overlay needs WebGL, which this browser doesn't offer or has switched off.";
  let viewer = null;
  let shown = null; // the members drawn, each with `on`

  /** Heading, words, the picture, and the list of members; `draw` draws it once the section is on the page. */
  function section(code) {
    const overlay = code.overlay;
    shown = null;
    if (!overlay) return [];
    shown = overlay.members.map((member) => ({ ...member, on: true }));
    const picture = h("div", { class: "columns" }, h("div", { class: "stage-column" }, stage,
      h("p", { class: "explain" }, "The ball is the seed; the thicker trace is the medoid. Drag to turn, scroll or pinch to zoom. " +
        "With the keyboard: arrow keys, + and −.")),
    h("ul", { class: "blobs overlay-members", "aria-label": "Members of the overlay" }, shown.map(item)));
    return [h("h2", {}, "Members laid on one another"), h("p", { class: "explain" }, words(overlay)), h("div", { id: "overlay" }, picture)];
  }

  function words(overlay) {
    const controls = [["blobs of other codes", overlay.other_codes], ["seeds of the same secondary structure", overlay.same_structure]]
      .filter(([, value]) => value !== null).map(([name, value]) => `${angstrom(value)} in sets of ${name}`);
    return `C-alphas of the ${overlay.residues} residues around each blob's seed, superposed on those of the medoid, the blob ` +
      `nearest to all others. Shown are the medoid and the ${overlay.members.length - 1} nearest to it of ${overlay.superposed} blobs drawn at random, so the ` +
      `picture is tighter than the code is: the median RMSD of all from the medoid is ${angstrom(overlay.median_rmsd)}, the mean of all pairs ` +
      `${angstrom(overlay.mean_rmsd)}` + (controls.length ? `, beside ${controls.join(" and ")}.` : ".");
  }

  const angstrom = (value) => `${value.toFixed(2)}\u00a0Å`;

  /** Draw what {@link section} put on the page. */
  function open() {
    if (!shown) return;
    viewer ??= createViewer(canvas);
    if (viewer) draw(true);
    else stage.replaceWith(h("p", { class: "notice" }, missing));
  }

  function item(member, place) {
    const box = h("input", { type: "checkbox", checked: true, onchange: () => { member.on = box.checked; draw(false); } });
    const link = page.proteins.find((each) => each.id === member.protein);
    const more = place ? `RMSD ${angstrom(member.rmsd)}` : "medoid";
    return h("li", {}, h("label", { class: "member" }, box, h("span", { class: "swatch", "data-place": place, "aria-hidden": "true",
      style: `background:${blobColour(place)}` }), h("span", {}, member.protein), h("span", { class: "muted" }, more)),
    link ? h("a", { href: href("protein", { id: link.id, blob: member.slot }), "aria-label": `Open ${link.id}` }, "open") : null);
  }

  function draw(fresh) {
    if (!viewer || !shown) return;
    if (fresh) viewer.resize();
    viewer.setBackgroundColor(colour("canvas"));
    viewer.removeAllModels();
    shown.forEach((member, place) => member.on && trace(member.trace, blobColour(place), place ? 0.16 : 0.34));
    if (fresh) viewer.zoomTo();
    viewer.render();
  }

  /** A C-alpha trace as sticks from residue to residue. */
  function trace(points, ink, radius) {
    const last = points.length - 1, seed = last / 2;
    const model = viewer.addModel();
    model.addAtoms(points.map(([x, y, z], at) => {
      const bonds = [at - 1, at + 1].filter((other) => other >= 0 && other <= last);
      return { elem: "C", atom: "CA", resi: at, serial: at, x, y, z, bonds, bondOrder: bonds.map(() => 1) };
    }));
    model.setStyle({}, { stick: { radius, color: ink } });
    model.setStyle({ resi: seed }, { sphere: { radius: radius + 0.45, color: ink } }, true);
  }

  turnByKeys(stage, () => viewer);
  scheme.addEventListener("change", () => {
    for (const swatch of document.querySelectorAll(".overlay-members .swatch")) swatch.style.background = blobColour(Number(swatch.dataset.place));
    draw(false);
  });
  return { section, open };
})();
