// The list of a protein's blobs: a button each, with bars; the selected one shows its residues and who shares its code.
const blobsView = (() => {
  const list = byId("blobs");
  const title = byId("blobs-title"), explained = byId("blobs-explained");
  const A_BLOB = "A blob is a connected group of residues that the model reads as one unit. ";
  let shown = null; // { protein, labels, actions }

  function show(protein, labels, actions) {
    shown = { protein, labels, actions };
    title.textContent = protein.sum ? "How the prediction adds up" : "Blobs, most important first";
    explained.textContent = protein.sum ? sumWords(protein)
      : `${A_BLOB}Importance is the attention weight: it sums to 100 % over the blobs of a protein.`;
    byId("sum").classList.toggle("uncoded", protein.blobs.every((blob) => blob.code === null));
    sumView.show(protein);
    list.replaceChildren(...protein.blobs.map(item));
    if (!protein.blobs.length) list.replaceChildren(h("li", {}, "The model found no blob in this protein."));
    paint();
  }

  function sumWords(protein) {
    const unsupported = protein.blobs.every((blob) => blob.contributions[0] <= 0);
    return `${A_BLOB}Each class starts from a base; blob after blob adds to it (blue) or takes from it (orange). The sum is the class's logit: ` +
      "the higher, the more probable. Without a blob the sum changes by just its bar. Bars have one scale for all proteins." +
      (unsupported ? ` No blob argues for ${className(protein.sum[0].class)} here: the base decided.` : "");
  }

  function item(blob) {
    const code = blob.code === null ? null : h("a", { class: "of-code", href: href("code", { n: blob.code }), title: codeSentence(blob.code) }, `code ${blob.code}`);
    const said = shown.protein.sum ? sumView.words(blob) : share(shown.protein, blob);
    const button = h("button", { type: "button", class: shown.protein.sum ? "blob-button sum-row" : "blob-button", "aria-pressed": "false",
      "data-blob": blob.slot, "aria-label": `Blob ${blobNumber(blob)}, ${said}, ${count(blob.residues.length, "residue")}`,
      onclick: () => shown.actions.pick(blob.slot),
      onmouseenter: () => shown.actions.point(blob.slot), onmouseleave: () => shown.actions.point(null),
      onfocus: () => shown.actions.point(blob.slot), onblur: () => shown.actions.point(null) },
      h("span", { class: "number" }, blobNumber(blob)), ...(shown.protein.sum ? sumView.bars(blob) : weight(blob)));
    return h("li", {}, h("div", { class: "blob-row" }, button, code), h("div", { class: "detail", hidden: true }));
  }

  /** The bar of an attention weight. */
  function weight(blob) {
    const most = shown.protein.blobs[0].importance || 1;
    return [h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: `width:${(100 * blob.importance) / most}%` })),
      h("span", { class: "share" }, percent(blob.importance, 1)), h("span", { class: "size" }, `${blob.residues.length} res.`)];
  }

  /** Numbers have the colour that their blobs have in the other views. */
  function paint() {
    list.querySelectorAll(".number").forEach((badge, rank) => {
      badge.style.background = colouring.of(shown.protein.blobs[rank]);
      badge.style.color = textOn(colouring.of(shown.protein.blobs[rank]));
    });
  }

  function point(pointed) {
    for (const button of list.querySelectorAll(".blob-button")) button.classList.toggle("hot", Number(button.dataset.blob) === pointed);
  }

  function select(chosen) {
    shown.protein.blobs.forEach((blob, place) => {
      const item = list.children[place];
      const on = blob.slot === chosen;
      item.querySelector("button").setAttribute("aria-pressed", String(on));
      const detail = item.querySelector(".detail");
      detail.hidden = !on;
      detail.replaceChildren(...(on ? details(blob) : []));
    });
  }

  function details(blob) {
    const sequence = blob.residues.map((residue) => shown.protein.chain.sequence[residue]).join("");
    const importance = shown.protein.sum ? `${percent(blob.importance, 1)} of what argues for the class; ` : "";
    return [
      h("p", {}, `${importance}${count(blob.residues.length, "residue")}: ${residueRanges(blob.residues, shown.labels)}`),
      h("p", {}, h("span", { class: "seq" }, sequence), ` grown from ${shown.labels[blob.seed]}; mean membership ${blob.membership.toFixed(2)}`),
      ...sharing(blob),
    ];
  }

  function sharing(blob) {
    if (blob.code === null) return [];
    const others = holdersOf(blob.code).filter(({ protein }) => protein !== shown.protein);
    const code = h("a", { href: href("code", { n: blob.code }) }, `code ${blob.code}`);
    const named = codeSentence(blob.code) ? [h("p", {}, `Code ${blob.code}: ${codeSentence(blob.code)}.`)] : [];
    if (!others.length) return [...named, h("p", {}, "No other protein here holds ", code, ".")];
    return [
      ...named,
      h("p", {}, `${count(others.length, "other protein")} with `, code, ":"),
      h("ul", { class: "links", "data-code": blob.code },
        others.map(({ protein, blobs }) => h("li", {}, proteinLink(protein, blobs[0].slot)))),
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
  colouring.listen(() => shown && paint());
  return { show, select, point };
})();

/** Proteins that hold a code, each with its blobs of that code, most important first. */
function holdersOf(code) {
  return page.proteins
    .map((protein) => ({ protein, blobs: protein.blobs.filter((blob) => blob.code === code) }))
    .filter(({ blobs }) => blobs.length);
}

/** What a code is, in a sentence; empty where nothing is known of it. */
const codeSentence = (code) => codeSentences.get(code) ?? page.sentences[code] ?? "";
const codeSentences = new Map(page.codes.map((code) => [code.code, code.sentence]));
