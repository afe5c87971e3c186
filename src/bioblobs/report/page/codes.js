// Codes: the map of the codebook, the list, and what is known of one.
const codesView = (() => {
  const described = new Map(page.codes.map((code) => [code.code, code]));
  const used = page.codes.length ? page.codes.map((code) => code.code)
    : [...new Set(page.proteins.flatMap((p) => p.blobs.map((blob) => blob.code)))].filter((code) => code !== null).sort((a, b) => a - b);
  const LISTED = 50; // codes in the list before its reader asks for all
  const COLOURED = 8; // classes that a map can tell apart by colour
  const SIZE = { width: 720, height: 560, margin: 34, largest: 24 };
  const firstClass = (code) => code.enriched_classes?.[0] ?? null;
  const classOrder = Object.keys(page.classes);
  const coloured = classOrder.length <= COLOURED;
  let drawn = false;
  let widest = null; // entry of the scorecard

  function show() {
    if (drawn) return;
    drawn = true;
    byId("codes-body").replaceChildren(...(used.length ? [...map(), ...list()]
      : [h("p", {}, "This model has no codebook, so its blobs have no codes.")]));
    paint();
  }

  function map() {
    if (!page.map) return [];
    const [first, second] = page.map.explained;
    return [
      h("p", { class: "explain" }, "Each circle is a code, the larger the more blobs of the test set hold it; hollow ones hold none. " +
        `The two axes are the principal components of the codes' vectors and carry ${percent(first + second)} of their variance, so codes ` +
        "that are apart on the map are apart for the model, but neighbours on it need not be alike. " +
        (coloured ? "Colour: the class most enriched among the proteins that hold the code. " : "") + "Numbers: the most used codes."),
      picture(), ...(coloured ? [legend()] : []),
    ];
  }

  function picture() {
    const most = Math.max(1, ...page.codes.map((code) => code.blobs));
    const { place, height } = frame();
    const points = page.map.points.map((point, code) => ({ code, at: place(point), known: described.get(code) }))
      .sort((a, b) => (b.known?.blobs ?? 0) - (a.known?.blobs ?? 0));
    const circles = points.map(({ code, at: [cx, cy], known }) => {
      if (!known) return svg("circle", { class: "unused", cx, cy, r: 2.5 });
      const r = 3 + (SIZE.largest - 3) * Math.sqrt(known.blobs / most);
      return svg("a", { href: href("code", { n: code }), "aria-label": summary(known) },
        svg("circle", { cx, cy, r, "fill-opacity": 0.85, "data-class": firstClass(known)?.class }, svg("title", {}, summary(known))));
    });
    const numbers = numbered(points.filter(({ known }) => known))
      .map(({ code, at: [x, y] }) => svg("text", { x, y: y + 4, "text-anchor": "middle", "aria-hidden": "true" }, String(code)));
    return svg("svg", { class: "map", viewBox: `0 0 ${SIZE.width} ${height}`, role: "group", "aria-label": "Map of the codebook" }, circles, numbers);
  }

  /** Both axes at one scale, the points' box filling the width or the greatest height. */
  function frame() {
    const [xs, ys] = [0, 1].map((axis) => page.map.points.map((point) => point[axis]));
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const room = SIZE.width - 2 * SIZE.margin;
    const scale = Math.min(room / Math.max(right - left, 1e-9), (SIZE.height - 2 * SIZE.margin) / Math.max(high - low, 1e-9));
    const height = Math.max(220, scale * (high - low) + 2 * SIZE.margin);
    const middle = [(left + right) / 2, (low + high) / 2];
    return { height, place: ([x, y]) => [SIZE.width / 2 + (x - middle[0]) * scale, height / 2 - (y - middle[1]) * scale] };
  }

  /** The most used codes whose numbers don't cover one another. */
  function numbered(points) {
    const kept = [];
    for (const point of points) {
      const free = kept.every(({ at }) => Math.abs(at[0] - point.at[0]) > 30 || Math.abs(at[1] - point.at[1]) > 17);
      if (free && kept.length < 14) kept.push(point);
    }
    return kept;
  }

  const summary = (code) => `Code ${code.code}: ${count(code.blobs, "blob")} in ${count(code.proteins, "protein")}` +
    (firstClass(code) ? `, most enriched in ${firstClass(code).name}` : ", enriched in no class");

  function legend() {
    const seen = new Set(page.codes.map((code) => firstClass(code)?.class));
    const items = classOrder.filter((id) => seen.has(id)).map((id) => [id, className(id)]);
    return h("ul", { class: "legend" }, [...items, ["", "enriched in no class"]].map(([id, title]) =>
      h("li", {}, h("span", { class: "swatch", "data-class": id }), title)));
  }

  function paint() {
    for (const element of document.querySelectorAll("#codes-body [data-class], #codes-body .map circle:not(.unused)")) {
      const at = classOrder.indexOf(element.dataset.class ?? "");
      const fill = coloured && at >= 0 ? blobColour(at) : colour("rest");
      element.style.fill = fill;
      element.style.background = fill;
    }
  }

  function list() {
    if (!page.codes.length) {
      return [h("p", { class: "explain" }, "Codes that the blobs of these proteins hold. Blobs alike to the model share a code."),
        h("ul", { class: "links" }, used.map((code) => h("li", {}, h("a", { href: href("code", { n: code }) }, `code ${code}`), ` ${count(holdersOf(code).length, "protein")}`, codeSentence(code) ? `: ${codeSentence(code)}` : "")))];
    }
    const rows = page.codes.map((code) => h("tr", {},
      h("th", { scope: "row", class: "nowrap" }, h("a", { href: href("code", { n: code.code }) }, `code ${code.code}`)),
      h("td", { class: "num" }, String(code.blobs)), h("td", { class: "num" }, String(code.proteins)),
      h("td", { class: "num side" }, percent(code.mean_importance)), h("td", { class: "num side" }, code.mean_size.toFixed(1)),
      h("td", {}, code.sentence), h("td", { class: "side" }, enrichedText(code))));
    const body = h("tbody", {}, rows.slice(0, LISTED));
    const more = moreRows(body, rows.slice(LISTED));
    const columns = [["code", null], ["blobs", "num"], ["proteins", "num"], ["importance", "num side"], ["size", "num side"], ["what it is", null], ["enriched classes", "side"]];
    return [h("h2", {}, "Codes in use"), h("p", { class: "explain" }, "Most used first. A class is named where proteins holding the code have it more often than others " +
      "(Fisher's exact test, corrected for the number of tests)."),
      h("table", {}, h("thead", {}, h("tr", {}, columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title)))), body), ...more];
  }

  /** The rest of a long list, on demand: reading goes on at its first row. */
  function moreRows(body, rest) {
    if (!rest.length) return [];
    return [h("p", {}, h("button", { type: "button", id: "all-codes", onclick: (event) => {
      body.append(...rest);
      rest[0].querySelector("a").focus();
      event.target.parentElement.remove();
    } }, `Show ${count(rest.length, "more code")}`))];
  }

  const enrichedText = (code) => (code.enriched_classes ?? []).map((each) => each.name).join("; ") || "–";

  function showOne(number) {
    byId("code-title").textContent = `Code ${number}`;
    const code = described.get(number);
    const holders = holdersOf(number);
    const sentence = codeSentence(number);
    byId("code-body").replaceChildren(...(sentence ? [h("p", { id: "code-sentence", class: "sentence" }, `${sentence}.`)] : []),
      ...(code ? facts(code) : []), ...members(holders), ...(code ? raw(code) : []));
    overlayView.open();
  }

  function facts(code) {
    return [
      h("p", { class: "explain" }, `${count(code.blobs, "blob")} in ${count(code.proteins, "protein")} of the test set; mean importance ` +
        `${percent(code.mean_importance, 1)}, mean size ${code.mean_size.toFixed(1)} residues.`),
      ...overlayView.section(code),
      ...(code.evidence ? evidence(code) : []),
      ...(code.logo ? [h("h2", {}, "Sequence logo"), logo(code)] : []),
      h("h2", {}, "Classes it is enriched in"), enrichment(code),
      h("h2", {}, "Amino acids"),
      h("p", { class: "explain" }, "Share of each residue type in blobs of this code (left bar) and in all residues (right bar, grey)."),
      composition(code.composition, page.background.composition),
      h("h2", {}, "Secondary structure"),
      pairs(["structure", "this code", "all residues"], Object.keys({ ...page.background.secondary_structure, ...code.secondary_structure })
        .map((name) => [name, percent(code.secondary_structure[name] ?? 0), percent(page.background.secondary_structure[name] ?? 0)])),
    ];
  }

  /** The logo is packed; it appears once unpacked. */
  function logo(code) {
    const image = h("img", { class: "logo", alt: `Sequence logo of code ${code.code}` });
    unpacked(code.logo).then((text) => {
      image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    }, () => image.replaceWith(h("p", {}, "This browser can't unpack the logo.")));
    return image;
  }

  async function unpacked(packed) {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
  }

  /** Every other number, under the names that it has in the report's file. */
  const raw = (code) => (code.facts.length ? [h("details", { id: "raw" }, h("summary", {}, "All that was measured"), pairs(["measured", "value"], code.facts))] : []);

  /** Where the bars of every code end: the largest entry of all. */
  function scale() {
    widest ??= Math.max(...page.codes.flatMap((each) => (each.evidence?.entries ?? []).map(([, value]) => Math.abs(value)))) || 1;
    return widest;
  }

  /** The code's row of the scorecard as bars to both sides of zero. */
  function evidence(code) {
    const { entries, hidden } = code.evidence;
    const largest = scale();
    const best = entries[0];
    const said = code.argues_for
      ? h("p", { id: "argues-for" }, "Argues for ", h("strong", {}, className(code.argues_for)), `: each blob of this code adds ${signed(best[1], largest)} to its logit.`)
      : h("p", { id: "argues-for" }, "Argues for no class.");
    const few = hidden ? ` The ${entries.length / 2} classes with most for and most against; ${count(hidden, "class", "classes")} between them are left out.` : "";
    return [h("h2", {}, "What it argues for"), said,
      h("p", { class: "explain" }, `Its row of the scorecard: what a blob of this code contributes to each class, wherever it is found. Bars have one scale for all codes.${few}`),
      h("table", { class: "evidence" }, h("thead", { class: "spoken" }, h("tr", {}, ["class", "", "contribution"].map((text) => h(text ? "th" : "td", text ? { scope: "col" } : {}, text)))),
        h("tbody", {}, entries.map(([id, value], at) => h("tr", { class: hidden && at === entries.length / 2 ? "after-gap" : null, "data-class": id },
          h("th", { scope: "row" }, className(id)),
          h("td", { class: "both-ways", "aria-hidden": "true" }, h("span", { class: "zero", style: "left:50%" }),
            h("span", { class: `step ${value < 0 ? "against" : "for"}`, style: `left:${50 - (value < 0 ? (50 * -value) / largest : 0)}%;width:${(50 * Math.abs(value)) / largest}%` })),
          h("td", { class: "num" }, signed(value, largest))))))];
  }

  function pairs(titles, rows) {
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": titles.join(", ") },
      h("table", { class: "compact" }, h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, rows.map(([name, ...values]) => h("tr", {}, h("th", { scope: "row" }, name), values.map((value) => h("td", {}, value)))))));
  }

  function enrichment(code) {
    if (!code.enriched_classes.length) {
      return h("p", {}, "None: proteins that hold this code have no class clearly more often than the others.");
    }
    return pairs(["class", "proteins", "odds ratio", "corrected p"], code.enriched_classes.map((each) => [each.name, String(each.proteins),
      each.odds_ratio === null ? "infinite" : each.odds_ratio.toFixed(1), each.p_adjusted.toPrecision(2)]));
  }

  function composition(own, all) {
    const letters = Object.keys({ ...all, ...own }).sort();
    const most = Math.max(...letters.map((letter) => Math.max(own[letter] ?? 0, all[letter] ?? 0)));
    return h("div", { class: "composition", role: "list", "aria-label": "Share of each amino acid" }, letters.map((letter) => {
      const shares = [own[letter] ?? 0, all[letter] ?? 0];
      const label = `${letter}: ${percent(shares[0], 1)}, all residues ${percent(shares[1], 1)}`;
      return h("div", { role: "listitem", "aria-label": label, title: label },
        h("div", { class: "pair", "aria-hidden": "true" }, shares.map((share) => h("span", { style: `height:${(100 * share) / most}%` }))), letter);
    }));
  }

  function members(holders) {
    if (!holders.length) return [h("p", {}, "No protein on this page holds it.")];
    const rows = holders.map(({ protein, blobs }) => h("tr", {}, h("th", { scope: "row" }, proteinLink(protein, blobs[0].slot)),
      h("td", {}, classNames(protein.true.length ? protein.true : protein.predicted) || "–"),
      h("td", { class: "num side" }, percent(Math.max(...blobs.map((blob) => blob.importance)), 1)),
      h("td", { class: "seq" }, blobs.map((blob) => blob.residues.map((at) => protein.chain.sequence[at]).join("")).join(" "))));
    const partial = page.total > page.proteins.length ? ", of those on this page" : "";
    return [h("h2", {}, `Proteins that hold it${partial} (${holders.length})`),
      h("table", { id: "holders" }, h("thead", {}, h("tr", {}, ["protein", "class", "importance", "residues of the blobs"]
        .map((title, at) => h("th", { scope: "col", class: at === 2 ? "num side" : null }, title)))), h("tbody", {}, rows))];
  }

  scheme.addEventListener("change", paint);
  return { show, showOne };
})();
