// The list of a protein's blobs: a button each; the selected one shows its residues and who shares its code.
const blobsView = (() => {
  const list = byId("blobs");
  let shown = null; // { protein, labels, onPick }

  function show(protein, labels, onPick) {
    shown = { protein, labels, onPick };
    draw();
  }

  function draw() {
    if (!shown) return;
    list.replaceChildren(...shown.protein.blobs.map(item));
    if (!shown.protein.blobs.length) list.replaceChildren(h("li", {}, "The model found no blob in this protein."));
  }

  function item(blob) {
    const most = shown.protein.blobs[0].importance || 1;
    const code = blob.code === null ? null : h("a", { href: href("code", { n: blob.code }) }, `code ${blob.code}`);
    const button = h("button", { type: "button", class: "blob-button", "aria-pressed": "false", "data-blob": blob.blob,
      "aria-label": `Blob ${blobNumber(blob)}, importance ${percent(blob.importance, 1)}, ${count(blob.residues.length, "residue")}`,
      onclick: () => shown.onPick(blob.blob) },
      numberBadge(blob),
      h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: `width:${(100 * blob.importance) / most}%` })),
      h("span", { class: "share" }, percent(blob.importance, 1)), h("span", { class: "size" }, `${blob.residues.length} res.`));
    return h("li", {}, h("div", { class: "blob-row" }, button, code), h("div", { class: "detail", hidden: true }));
  }

  function numberBadge(blob) {
    const background = blobColour(blob.rank);
    return h("span", { class: "number", style: `background:${background};color:${textOn(background)}` }, blobNumber(blob));
  }

  function select(chosen) {
    shown.protein.blobs.forEach((blob, place) => {
      const item = list.children[place];
      const on = blob.blob === chosen;
      item.querySelector("button").setAttribute("aria-pressed", String(on));
      const detail = item.querySelector(".detail");
      detail.hidden = !on;
      detail.replaceChildren(...(on ? details(blob) : []));
    });
  }

  function details(blob) {
    const sequence = blob.residues.map((residue) => shown.protein.chain.sequence[residue]).join("");
    const certain = blob.membership.reduce((sum, p) => sum + p, 0) / blob.membership.length;
    return [
      h("p", {}, `Residues ${residueRanges(blob.residues, shown.labels)}`),
      h("p", {}, h("span", { class: "seq" }, sequence), ` grown from ${shown.labels[blob.seed]}; mean membership ${certain.toFixed(2)}`),
      ...sharing(blob),
    ];
  }

  function sharing(blob) {
    if (blob.code === null) return [];
    const others = holdersOf(blob.code).filter(({ protein }) => protein !== shown.protein);
    if (!others.length) return [h("p", {}, `No other protein here holds code ${blob.code}.`)];
    return [
      h("p", {}, `${count(others.length, "other protein")} with code ${blob.code}:`),
      h("ul", { class: "links", "data-code": blob.code },
        others.map(({ protein, blobs }) => h("li", {}, proteinLink(protein, blobs[0].blob)))),
    ];
  }

  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...list.querySelectorAll(".blob-button")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0 || !buttons[at + step]) return;
    event.preventDefault();
    buttons[at + step].focus();
  });
  return { show, select, draw };
})();

/** Proteins that hold a code, each with its blobs of that code, most important first. */
function holdersOf(code) {
  return page.proteins
    .map((protein) => ({ protein, blobs: protein.blobs.filter((blob) => blob.code === code) }))
    .filter(({ blobs }) => blobs.length);
}
