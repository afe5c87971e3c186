// The first screen's protein: live, with arrows through a typical right answer per class and an instructive mistake.
const heroView = (() => {
  const slot = byId("hero-slot");
  const FEW = 5; // proteins that are walked through where none is labelled
  const entries = page.showcase.length ? page.showcase : page.proteins.slice(0, FEW).map(({ id }) => ({ id, kind: "unknown", text: "" }));
  let at = 0;

  function show(parameters) {
    if (!slot) return;
    const asked = entries.findIndex(({ id }) => id === parameters.get("show"));
    if (asked >= 0) at = asked;
    open(parameters.has("blob") ? Number(parameters.get("blob")) : null);
  }

  function open(blob) {
    const entry = entries[at];
    const protein = entry && page.proteins.find(({ id }) => id === entry.id);
    if (!protein) return;
    const link = byId("hero-name");
    link.textContent = protein.known?.name ? `${protein.id}, ${protein.known.name}` : protein.id;
    link.href = href("protein", { id: protein.id });
    byId("hero-badge").replaceChildren(protein.outcome === "unknown" ? "" : outcomeBadge(protein.outcome));
    byId("hero-text").textContent = `${entry.text} (${at + 1} of ${entries.length})`;
    proteinView.show(protein, blob, slot);
  }

  function step(by) {
    at = (at + by + entries.length) % entries.length;
    history.replaceState(null, "", href("overview", { ...overviewGallery.parameters(), show: entries[at].id }));
    open(null);
  }

  byId("hero-previous")?.addEventListener("click", () => step(-1));
  byId("hero-next")?.addEventListener("click", () => step(1));
  return { show };
})();
