// The sum that makes a prediction, as bars: base, blob after blob, logit; the classes side by side at one scale.
const sumView = (() => {
  const head = byId("sum-head"), base = byId("sum-base"), total = byId("sum-total");
  let wide = null; // { low, high } of all proteins
  let shown = null; // { protein, low, high, totals: per class, where each blob's bar starts and ends }

  /** Rows before and after the blobs; hidden where there is no sum. */
  function show(protein) {
    const additive = Boolean(protein.sum);
    for (const row of [head, base, total]) row.hidden = !additive;
    if (!additive) return;
    shown = { protein, ...scale(), totals: totalsOf(protein) };
    head.replaceChildren(h("span", {}), ...protein.sum.map(title));
    fill(base, "base", "Base", protein.sum.map((each) => bar(each.base, 0, each.base, { last: true })));
    fill(total, "sum", "Sum, the logit", protein.sum.map((each) => bar(each.logit, 0, each.logit, { first: true, total: true })));
  }

  const totalsOf = (protein) => protein.sum.map((each, place) => running(each.base, protein.blobs.map((blob) => blob.contributions[place])));

  /** One scale for all proteins of the page, so that their bars can be compared. */
  function scale() {
    if (!wide) {
      let [low, high] = [0, 0];
      for (const protein of page.proteins) {
        for (const end of [...totalsOf(protein).flat(2), ...protein.sum.flatMap((each) => [each.base, each.logit])]) {
          low = Math.min(low, end);
          high = Math.max(high, end);
        }
      }
      wide = { low, high: high > low ? high : low + 1 };
    }
    return wide;
  }

  function running(start, steps) {
    let at = start;
    return steps.map((step) => [at, (at += step)]);
  }

  function title(each, place) {
    const { protein } = shown;
    const chance = protein.probabilities.find(([name]) => name === each.class)?.[1];
    const role = protein.predicted.includes(each.class) ? "Predicted" : place ? "Runner-up" : "Most probable";
    return h("span", { class: "sum-class", "data-class": each.class }, h("span", { class: "muted" }, role), h("b", {}, className(each.class)),
      chance === undefined ? null : h("span", { class: "muted" }, percent(chance, 1)));
  }

  /** A row that is no blob: its name and a bar per class, in words for those who listen. */
  function fill(row, short, name, bars) {
    row.replaceChildren(h("span", { class: "sum-name", "aria-hidden": "true" }, short), ...bars,
      h("span", { class: "spoken" }, `${name}: ${spoken(name === "Base" ? "base" : "logit")}`));
  }

  const spoken = (part) => shown.protein.sum.map((each) => `${amount(each[part])} for ${className(each.class)}`).join(", ");

  /** The bars of a blob, one per class. */
  const bars = (blob) => shown.protein.sum.map((_, place) => {
    const [from, to] = shown.totals[place][blob.rank - 1];
    return bar(blob.contributions[place], from, to, { first: true, last: true });
  });

  /** What the bars of a blob say. */
  const words = (blob) => shown.protein.sum.map((each, place) => `${amount(blob.contributions[place])} to ${className(each.class)}`).join(", ");

  const across = (value) => (100 * (value - shown.low)) / (shown.high - shown.low);
  const amount = (value) => signed(value, shown.high - shown.low);

  /** A bar with its value; lines above and below tie it to the row before (`first`) and after (`last`). */
  function bar(value, from, to, { first = false, last = false, total = false }) {
    const at = Math.min(from, to);
    const kind = total ? "total" : value < 0 ? "against" : "for";
    const tie = (name, place) => h("span", { class: `tie ${name}`, style: `left:${across(place).toFixed(3)}%` });
    return h("span", { class: "lane", "aria-hidden": "true", "data-value": value },
      h("span", { class: "lane-track" }, h("span", { class: "zero", style: `left:${across(0).toFixed(3)}%` }),
        first ? tie("before", total ? to : from) : null, last ? tie("after", to) : null,
        h("span", { class: `step ${kind}`, style: `left:${across(at).toFixed(3)}%;width:${(across(Math.max(from, to)) - across(at)).toFixed(3)}%` })),
      h("span", { class: "amount" }, amount(value)));
  }

  return { show, bars, words };
})();
