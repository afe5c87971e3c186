// The list of proteins: searched, filtered and sorted.
const galleryView = (() => {
  const labelled = page.proteins.some((protein) => protein.outcome !== "unknown");
  const probability = (protein) => Math.max(0, ...protein.predicted.map((id) => protein.probabilities.find(([name]) => name === id)?.[1] ?? 0));
  const top = (protein) => protein.blobs[0]?.importance ?? 0;
  const COLUMNS = [
    { key: "id", title: "protein", value: (p) => p.id, cell: (p) => proteinLink(p) },
    { key: "length", title: "residues", value: (p) => p.length, number: true, side: true },
    { key: "said", title: "predicted", value: (p) => classNames(p.predicted), cell: (p) => classNames(p.predicted) || "none" },
    { key: "probability", title: "probability", value: probability, cell: (p) => percent(probability(p)), number: true },
    { key: "class", title: "true", value: (p) => classNames(p.true), cell: (p) => classNames(p.true) || "not in training", needsLabels: true, side: true },
    { key: "outcome", title: "result", value: (p) => p.outcome, cell: (p) => outcomeBadge(p.outcome), needsLabels: true },
    { key: "blobs", title: "blobs", value: (p) => p.blobs.length, number: true, side: true },
    { key: "top", title: "top importance", value: top, cell: (p) => percent(top(p)), number: true, side: true },
  ].filter((column) => labelled || !column.needsLabels);
  const FILTERS = [
    { key: "text", title: "Search", holds: (p, text) => `${p.id} ${classNames(p.predicted)} ${classNames(p.true)}`.toLowerCase().includes(text.toLowerCase()) },
    { key: "predicted", title: "Predicted class", options: () => classesOf("predicted"), holds: (p, id) => p.predicted.includes(id) },
    { key: "true", title: "True class", options: () => classesOf("true"), holds: (p, id) => (id === "(none)" ? !p.true.length : p.true.includes(id)), needsLabels: true },
    { key: "outcome", title: "Result", options: () => outcomes(), holds: (p, outcome) => p.outcome === outcome, needsLabels: true },
    { key: "code", title: "Holds code", number: true, holds: (p, code) => p.blobs.some((blob) => String(blob.code) === code) },
  ].filter((filter) => labelled || !filter.needsLabels);
  let filters = {};
  let order = { key: "id", down: false };

  function classesOf(field) {
    const used = new Set(page.proteins.flatMap((protein) => protein[field]));
    const found = Object.keys(page.classes).filter((id) => used.has(id)).map((id) => [id, className(id)]);
    return field === "true" && page.proteins.some((p) => !p.true.length) ? [...found, ["(none)", "not in training"]] : found;
  }

  function outcomes() {
    const used = new Set(page.proteins.map((protein) => protein.outcome));
    return Object.entries(OUTCOMES).filter(([key]) => used.has(key));
  }

  function form() {
    const fields = FILTERS.map(({ key, title, options, number }) => {
      const field = options
        ? h("select", { name: key }, h("option", { value: "" }, "any"), options().map(([value, text]) => h("option", { value }, text)))
        : h("input", { name: key, type: "search", autocomplete: "off", inputmode: number ? "numeric" : null });
      return h("label", {}, title, field);
    });
    byId("filters").replaceChildren(...fields, h("button", { type: "reset" }, "Clear"));
  }

  /** The proteins that the filters leave, in order. */
  function listed() {
    const active = FILTERS.filter(({ key }) => filters[key]);
    const column = COLUMNS.find(({ key }) => key === order.key);
    const sign = order.down ? -1 : 1;
    return page.proteins.filter((protein) => active.every(({ key, holds }) => holds(protein, filters[key])))
      .sort((a, b) => sign * compare(column.value(a), column.value(b)) || compare(a.id, b.id));
  }

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  function draw() {
    const rows = listed();
    byId("gallery-count").textContent = `${rows.length} of ${count(page.proteins.length, "protein")}`;
    byId("gallery").replaceChildren(rows.length ? table(rows) : h("p", {}, "No protein is left by these filters."));
  }

  function table(rows) {
    const kind = (column) => [column.number ? "num" : "", column.side ? "side" : ""].join(" ").trim() || null;
    const head = COLUMNS.map((column) => h("th", { scope: "col", class: kind(column),
      "aria-sort": order.key === column.key ? (order.down ? "descending" : "ascending") : null },
      h("button", { type: "button", "data-sort": column.key, onclick: () => sortBy(column.key) }, column.title)));
    const body = rows.map((protein) => h("tr", {}, COLUMNS.map((column) => h("td", { class: kind(column) },
      column.cell ? column.cell(protein) : String(column.value(protein))))));
    return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
  }

  function sortBy(key) {
    const first = COLUMNS.find((column) => column.key === key).number; // largest numbers first
    order = { key, down: order.key === key ? !order.down : Boolean(first) };
    draw();
    byId("gallery").querySelector(`[data-sort="${key}"]`).focus();
  }

  function show(wanted) {
    const form = byId("filters");
    filters = {};
    for (const { key } of FILTERS) {
      form.elements[key].value = wanted.get(key) ?? "";
      filters[key] = form.elements[key].value;
    }
    draw();
  }

  /** Filters into the address, so that a filtered list can be linked and returned to. */
  function changed() {
    const set = FILTERS.map(({ key }) => [key, byId("filters").elements[key].value.trim()]).filter(([, value]) => value);
    filters = Object.fromEntries(set);
    history.replaceState(null, "", href("proteins", filters));
    draw();
  }

  const drawn = page.total > page.proteins.length
    ? `${count(page.proteins.length, "protein")} drawn at random from ${page.total.toLocaleString("en")}, whatever was predicted of them.`
    : `All ${count(page.proteins.length, "protein")}.`;
  byId("gallery-explained").textContent = `${drawn} A name opens the protein in three dimensions.`;
  if (page.note) {
    byId("note").textContent = page.note;
    byId("note").hidden = false;
  }
  form();
  byId("filters").addEventListener("input", changed);
  byId("filters").addEventListener("reset", () => setTimeout(changed));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  return { show, listed, parameters: () => filters };
})();
