// The scorecard as a heat map: a row per code, clusters side by side, a column per class; a row opens its code.
const heatmapView = (() => {
  const card = page.scorecard, root = byId("scorecard");
  if (!card || !root) return { show: () => {} };
  const GUTTER = 44; // for codes' numbers, where rows are high enough
  const canvas = h("canvas", { role: "img", "aria-label": summary() });
  const mark = h("div", { class: "heat-mark", hidden: true });
  const stage = h("div", { id: "heat", class: "heat", tabindex: "0", role: "group", "aria-describedby": "heat-keys",
    "aria-label": "Scorecard. Up and down choose a code, left and right a class, Enter opens the code." }, canvas, mark);
  const heads = h("div", { class: "heat-heads", "aria-hidden": "true" });
  const status = h("p", { id: "heat-status", class: "heat-status", role: "status" });
  const at = { row: 0, column: 0 };
  let size = null; // { row, column, left } in pixels

  function summary() {
    const strongest = card.codes.map((code, row) => ({ code, ...extreme(row, 1) })).sort((a, b) => b.value - a.value).slice(0, 3);
    return `Heat map of ${count(card.codes.length, "code")} and ${count(card.classes.length, "class", "classes")}. Largest entries: ` +
      strongest.map(({ code, name, value }) => `code ${code} for ${name}, ${signed(value, card.largest)}`).join("; ") + ".";
  }

  /** The class that a row argues most for (sign 1) or against (-1). */
  function extreme(row, sign) {
    const values = card.values[row];
    const best = values.reduce((found, value, column) => (sign * value > sign * values[found] ? column : found), 0);
    return { name: className(card.classes[best]), value: values[best] };
  }

  /** Drawn once a reader sees it, and again when its room changes. */
  function show() {
    if (!root.hasChildNodes()) build();
  }

  function build() {
    const more = card.more ? ` The ${card.classes.length} classes with the largest entries are shown, ${card.more} are not.` : "";
    const beyond = card.values.flat().some((value) => Math.abs(value) > card.largest);
    root.replaceChildren(
      h("p", { id: "heat-keys", class: "explain" }, `${count(card.codes.length, "row")}, one per code in use; codes that argue alike lie side by side ` +
        `(average linkage).${more} Point at a row to read it, click to open its code; with the keyboard: arrows and Enter. The numbers are on each code's page.`),
      h("div", { class: "scale" }, scaleLegend(card.largest, beyond)),
      h("div", { class: "heat-frame" }, h("div", { class: "heat-picture" }, heads, stage), status));
    draw(); // its observer comes later: keys and the pointer must not find a map without a size
    new ResizeObserver(draw).observe(root);
  }

  function measure() {
    const row = Math.max(2, Math.min(18, Math.floor(720 / card.codes.length)));
    const left = row >= 11 ? GUTTER : 0;
    const column = Math.max(9, Math.min(88, Math.floor((root.clientWidth - left - 4) / card.classes.length)));
    return { row, left, column };
  }

  function draw() {
    if (!root.clientWidth) return;
    size = measure();
    const [width, height] = [size.left + size.column * card.classes.length, size.row * card.codes.length];
    const scale = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: width * scale, height: height * scale });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    stage.style.width = `${width}px`;
    heads.classList.toggle("wide-columns", size.column >= 40);
    heads.replaceChildren(...card.classes.map((id, column) => h("span", { title: className(id),
      style: `left:${size.left + (column + 0.5) * size.column}px` }, className(id))));
    const ink = canvas.getContext("2d");
    if (!ink) return;
    ink.scale(scale, scale);
    ink.font = "11px system-ui, sans-serif";
    ink.textBaseline = "middle";
    ink.textAlign = "right";
    card.values.forEach((values, row) => {
      values.forEach((value, column) => {
        ink.fillStyle = signedColour(value, card.largest);
        ink.fillRect(size.left + column * size.column, row * size.row, size.column - (size.column > 14 ? 1 : 0), size.row - (size.row > 8 ? 1 : 0));
      });
      ink.fillStyle = colour("muted");
      if (size.left) ink.fillText(String(card.codes[row]), size.left - 6, (row + 0.5) * size.row);
    });
    point();
  }

  /** Marks the row and says what it holds. */
  function point() {
    if (mark.hidden) return;
    Object.assign(mark.style, { top: `${at.row * size.row}px`, height: `${size.row}px`, left: `${size.left}px` });
    const [best, worst] = [extreme(at.row, 1), extreme(at.row, -1)];
    const said = (value) => signed(value, card.largest);
    status.replaceChildren(h("b", {}, `Code ${card.codes[at.row]}`), ` argues most for ${best.name} (${said(best.value)}), most against ` +
      `${worst.name} (${said(worst.value)}). ${className(card.classes[at.column])}: ${said(card.values[at.row][at.column])}.`);
  }

  function moveTo(row, column) {
    at.row = Math.max(0, Math.min(row, card.codes.length - 1));
    at.column = Math.max(0, Math.min(column, card.classes.length - 1));
    mark.hidden = false;
    point();
  }

  function step(rows, columns) {
    moveTo(at.row + rows, at.column + columns);
    mark.scrollIntoView({ block: "nearest" });
  }

  function under(event) {
    const box = canvas.getBoundingClientRect();
    moveTo(Math.floor((event.clientY - box.top) / size.row), Math.floor((event.clientX - box.left - size.left) / size.column));
  }

  const openCode = () => (location.hash = href("code", { n: card.codes[at.row] }));
  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-10, 0], PageDown: [10, 0], Home: [-Infinity, 0], End: [Infinity, 0],
    ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) step(...STEPS[event.key]);
    else if (event.key === "Enter") openCode();
    else return;
    event.preventDefault();
  });
  stage.addEventListener("focus", () => moveTo(at.row, at.column));
  canvas.addEventListener("mousemove", under);
  canvas.addEventListener("click", (event) => {
    under(event);
    openCode();
  });
  scheme.addEventListener("change", () => size && draw());
  return { show };
})();
