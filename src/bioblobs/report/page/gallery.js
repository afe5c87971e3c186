// Proteins as thumbnails: searched, filtered and ordered, a page at a time. One gallery on the overview, one on its own.
const PER_PAGE = 24;
const labelled = page.proteins.some((protein) => protein.outcome !== "unknown");
const probabilityOf = (protein, id) => protein.probabilities.find(([name]) => name === id)?.[1] ?? 0;
const certainty = (protein) => Math.max(0, ...protein.predicted.map((id) => probabilityOf(protein, id)));
/** Probability of the true class that the prediction was short of: near 1 for a sure mistake, near 0 for a sure hit. */
const wrongness = (protein) => 1 - Math.max(0, ...protein.true.map((id) => probabilityOf(protein, id)));
const ORDERS = [
  { key: "wrong", title: "most wrong first", value: (p) => -wrongness(p), needsLabels: true },
  { key: "unsure", title: "least sure first", value: certainty },
  { key: "sure", title: "most sure first", value: (p) => -certainty(p) },
  { key: "name", title: "name", value: (p) => p.id },
  { key: "class", title: "predicted class", value: (p) => classNames(p.predicted) },
  { key: "longest", title: "longest first", value: (p) => -p.length },
  { key: "shortest", title: "shortest first", value: (p) => p.length },
].filter((order) => labelled || !order.needsLabels);
const FILTERS = [
  { key: "text", title: "Search" },
  { key: "predicted", title: "Predicted class", options: () => classesOf("predicted"), holds: (p, id) => p.predicted.includes(id) },
  { key: "true", title: "True class", options: () => classesOf("true"), holds: (p, id) => (id === "(none)" ? !p.true.length : p.true.includes(id)), needsLabels: true },
  { key: "outcome", title: "Result", options: () => outcomesOf(), holds: (p, outcome) => p.outcome === outcome, needsLabels: true },
  { key: "code", title: "Holds code", number: true, holds: (p, code) => p.blobs.some((blob) => String(blob.code) === code) },
].filter((filter) => labelled || !filter.needsLabels);

function classesOf(field) {
  const used = new Set(page.proteins.flatMap((protein) => protein[field]));
  const found = Object.keys(page.classes).filter((id) => used.has(id)).map((id) => [id, className(id)]);
  return field === "true" && page.proteins.some((p) => !p.true.length) ? [...found, ["(none)", "not in training"]] : found;
}

function outcomesOf() {
  const used = new Set(page.proteins.map((protein) => protein.outcome));
  return Object.entries(OUTCOMES).filter(([key]) => used.has(key));
}

/** A gallery in an element; `keys`: its filters; `view`: the part of the page whose address holds them. */
function makeGallery(root, view, keys) {
  const CHIPS = 10; // classes with a chip
  const filters = FILTERS.filter(({ key }) => keys.includes(key));
  const form = h("form", { class: "filters", role: "search", "aria-label": "Filter proteins" });
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Classes" });
  const said = h("p", { class: "count", role: "status" });
  const list = h("ul", { class: "thumbs" });
  const pages = h("p", { class: "pages" });
  let set = {}; // filters, order and page that are not the usual ones

  function build() {
    const fields = filters.map(({ key, title, options, number }) => h("label", {}, title, options
      ? h("select", { name: key }, h("option", { value: "" }, "any"), options().map(([value, text]) => h("option", { value }, text)))
      : h("input", { name: key, type: "search", autocomplete: "off", inputmode: number ? "numeric" : null, placeholder: key === "text" ? "1abc a, family, accession" : null })));
    const order = h("label", {}, "Order", h("select", { name: "order" }, ORDERS.map(({ key, title }) => h("option", { value: key }, title))));
    form.replaceChildren(...fields, order, h("button", { type: "reset" }, "Clear"));
    root.replaceChildren(h("div", { class: "gallery-head" }, chips, form), said, list, pages);
    form.addEventListener("input", () => change({ ...values(), page: "" }));
    form.addEventListener("reset", () => setTimeout(() => change({ order: form.elements.order.value })));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
      event.preventDefault();
      const [only, ...more] = listed();
      if (only && !more.length) location.hash = href("protein", { id: only.id });
    });
  }

  const values = () => ({ ...set, ...Object.fromEntries([...filters.map(({ key }) => key), "order"].map((key) => [key, form.elements[key].value.trim()])) });

  /** The proteins that the filters leave, in order. */
  function listed() {
    const active = FILTERS.filter(({ key, holds }) => holds && set[key]);
    const { value } = ORDERS.find(({ key }) => key === set.order) ?? ORDERS[0];
    return search.among(page.proteins, set.text ?? "").filter((protein) => active.every(({ key, holds }) => holds(protein, set[key])))
      .sort((a, b) => compare(value(a), value(b)) || compare(a.id, b.id));
  }

  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  function draw() {
    const rows = listed();
    const last = Math.max(1, Math.ceil(rows.length / PER_PAGE));
    const at = Math.min(Math.max(1, Number(set.page) || 1), last);
    const from = (at - 1) * PER_PAGE;
    said.textContent = `${rows.length} of ${count(page.proteins.length, "protein")}` + (last > 1 ? `, ${from + 1} to ${Math.min(from + PER_PAGE, rows.length)} shown` : "");
    list.replaceChildren(...rows.slice(from, from + PER_PAGE).map(card));
    if (!rows.length) list.replaceChildren(h("li", { class: "none" }, "No protein is left by these filters."));
    pages.hidden = last === 1;
    pages.replaceChildren(step("Previous page", at - 1, at > 1), h("span", {}, `Page ${at} of ${last}`), step("Next page", at + 1, at < last));
    drawChips();
    thumbnails.tidy();
  }

  function step(text, to, can) {
    return h("button", { type: "button", disabled: !can, onclick: () => {
      change({ ...set, page: String(to) });
      root.scrollIntoView({ block: "start" });
      list.querySelector("a").focus({ preventScroll: true });
    } }, text);
  }

  function card(protein) {
    const sure = percent(certainty(protein));
    const name = protein.known?.name;
    const spoken = [protein.id, name, `predicted ${classNames(protein.predicted) || "no class"}, ${sure}`,
      protein.outcome === "unknown" ? null : OUTCOMES[protein.outcome], wrong(protein) ? `true: ${classNames(protein.true) || "not in training"}` : null].filter(Boolean);
    return h("li", {}, h("a", { class: "thumb", href: href("protein", { id: protein.id }), title: spoken.join(", "), "aria-label": spoken.join(", ") },
      thumbnails.of(protein), h("span", { class: "thumb-name" }, protein.id),
      h("span", { class: `thumb-class badge-${protein.outcome}` }, `${mark(protein)}${shortNames(protein.predicted) || "none"} ${sure}`),
      wrong(protein) ? h("span", { class: "thumb-true" }, `is ${shortNames(protein.true) || "not in training"}`) : null));
  }

  const wrong = (protein) => ["wrong", "partly"].includes(protein.outcome);
  const mark = (protein) => ({ right: "✓ ", wrong: "✗ ", partly: "~ " })[protein.outcome] ?? "";

  /** A chip per class, the most frequent ones, and one of the mistakes. */
  function drawChips() {
    const field = labelled ? "true" : "predicted";
    const numbers = new Map();
    for (const protein of page.proteins) for (const id of protein[field]) numbers.set(id, (numbers.get(id) ?? 0) + 1);
    const most = [...numbers].sort((a, b) => b[1] - a[1]).slice(0, CHIPS);
    const mistakes = page.proteins.filter((protein) => protein.outcome === "wrong").length;
    const made = [["", "", "All", page.proteins.length], ...most.map(([id, number]) => [field, id, shortName(id), number, className(id)]),
      ...(mistakes ? [["outcome", "wrong", "✗ wrong", mistakes]] : [])];
    chips.replaceChildren(...made.map(([key, id, text, number, whole]) => {
      const on = key ? set[key] === id : !FILTERS.some((each) => set[each.key]);
      return h("button", { type: "button", class: "chip", "aria-pressed": String(on), title: whole, "data-chip": id || "all", onclick: () => {
        const rest = key ? { ...set, [key]: on ? "" : id } : { order: set.order };
        change({ ...rest, page: "" });
        chips.querySelector(`[data-chip="${CSS.escape(id || "all")}"]`).focus();
      } }, text, h("span", { class: "chip-number" }, String(number)));
    }));
  }

  /** Filters into the address, so that a filtered list can be linked and returned to. */
  function change(wanted) {
    use(wanted);
    history.replaceState(null, "", href(view, set));
  }

  function use(wanted) {
    const known = [...FILTERS.map(({ key }) => key), "order", "page"];
    set = Object.fromEntries(known.map((key) => [key, wanted[key]]).filter(([key, value]) => value && !(key === "order" && value === ORDERS[0].key)));
    for (const key of [...filters.map((each) => each.key), "order"]) {
      const wantedValue = set[key] ?? (key === "order" ? ORDERS[0].key : "");
      if (form.elements[key].value !== wantedValue) form.elements[key].value = wantedValue;
    }
    draw();
  }

  build();
  return { show: (parameters) => use(Object.fromEntries(parameters)), listed, parameters: () => set };
}

const galleryView = makeGallery(byId("gallery"), "proteins", FILTERS.map(({ key }) => key));
const overviewGallery = byId("overview-gallery") ? makeGallery(byId("overview-gallery"), "overview", ["text"]) : null;
byId("gallery-explained").textContent = (page.total > page.proteins.length
  ? `${count(page.proteins.length, "protein")} drawn at random from ${page.total.toLocaleString("en")}, whatever was predicted of them.`
  : `All ${count(page.proteins.length, "protein")}.`) + " Pictures are coloured by contribution to the predicted class; each opens its protein.";
if (page.note) {
  byId("note").textContent = page.note;
  byId("note").hidden = false;
}
