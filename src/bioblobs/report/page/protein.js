// One protein: the three views of its blobs share one selection.
const proteinView = (() => {
  let chosen = null;
  let current = null;
  const workbench = byId("workbench");

  /** In the element `slot`: the protein's own page, or the first screen. */
  function show(protein, blob, slot) {
    if (workbench.parentElement !== slot) slot.append(workbench);
    workbench.hidden = false;
    if (protein !== current) open(protein);
    else {
      neighbours(protein);
      structureView.fit();
    }
    select(blob !== null && protein.blobs.some((each) => each.slot === blob) ? blob : null);
  }

  function open(protein) {
    current = protein;
    const labels = authorLabels(protein.chain.numbering);
    const blobOf = new Array(protein.length).fill(null);
    for (const blob of protein.blobs) for (const residue of blob.residues) blobOf[residue] = blob;
    byId("protein-title").textContent = protein.id;
    byId("prediction").replaceChildren(...prediction(protein));
    byId("notes").replaceChildren(...protein.notes.map((note) => h("p", { class: "notice" }, note)));
    tell(protein);
    neighbours(protein);
    const actions = { pick: toggle, point };
    colouring.open(protein);
    blobsView.show(protein, labels, actions);
    stripView.show(protein, labels, blobOf, actions);
    structureView.show(protein, labels, blobOf, actions);
  }

  /** What databases say of it, and where to read on. */
  function tell(protein) {
    const { name = "", facts = [], links = [] } = protein.known ?? {};
    byId("protein-name").textContent = name;
    byId("protein-name").hidden = !name;
    const nearest = (protein.nearest ?? []).map(([id, value, measure]) => `${id} (${measure} ${value.toFixed(2)})`).join("; ");
    const rows = nearest ? [...facts, ["Nearest in training", nearest]] : facts;
    byId("known").hidden = !rows.length;
    byId("known").replaceChildren(...rows.map(([title, text]) => h("div", {}, h("dt", {}, title), h("dd", {}, text))));
    byId("database-links").hidden = !links.length;
    byId("database-links").replaceChildren("Read on: ", ...links.map(([title, address]) =>
      h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, title)));
  }

  function prediction(protein) {
    const certainty = (name) => protein.probabilities.find(([id]) => id === name)?.[1];
    const said = protein.predicted.map((name) => `${className(name)} (${percent(certainty(name) ?? 0)})`).join("; ");
    const rows = [h("p", {}, "Predicted: ", h("strong", {}, said || "no class reaches a probability of 1/2"), " ",
      protein.outcome === "unknown" ? null : outcomeBadge(protein.outcome))];
    if (protein.outcome !== "unknown" && protein.outcome !== "right") {
      rows.push(h("p", {}, "True: ", h("strong", {}, classNames(protein.true) || "a class that training never saw")));
    }
    const others = protein.probabilities.filter(([name]) => !protein.predicted.includes(name)).slice(0, 4);
    const rest = others.map(([name, p]) => `${className(name)} ${percent(p)}`).join(", ");
    rows.push(h("p", { class: "count" }, `${count(protein.length, "residue")}, ${count(protein.blobs.length, "blob")}.` +
      (rest ? ` Next: ${rest}.` : "")));
    return rows;
  }

  function neighbours(protein) {
    const rows = galleryView.listed(); // as on the page of all proteins
    const at = rows.indexOf(protein);
    for (const [id, other] of [["previous", rows[at - 1]], ["next", rows[at + 1]]]) {
      const link = byId(id);
      link.hidden = at < 0 || !other;
      if (other) link.href = href("protein", { id: other.id });
    }
  }

  const toggle = (blob) => remember(blob === chosen ? null : blob);

  /** A selection that a reader made is in the address, so that it can be linked. */
  function remember(blob) {
    select(blob);
    const [view, query] = location.hash.slice(1).split(/\?(.*)/s);
    const parameters = new URLSearchParams(query ?? "");
    parameters.set(byId("protein-slot").contains(workbench) ? "id" : "show", current.id);
    if (blob === null) parameters.delete("blob");
    else parameters.set("blob", blob);
    const here = byId("protein-slot").contains(workbench) ? "protein" : view || "overview";
    history.replaceState(null, "", href(here, Object.fromEntries(parameters)));
  }

  function select(blob) {
    chosen = blob;
    blobsView.select(blob);
    stripView.select(blob);
    structureView.select(blob);
  }

  /** A blob that is pointed at in one view stands out in all. */
  function point(blob) {
    for (const view of [blobsView, stripView, structureView]) view.point(blob);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && current && !byId("strip").closest("[data-view]").hidden) remember(null);
  });
  return { show };
})();
