// The sequence: one option of a list box a residue; a cursor moves over them, Enter selects a residue's blob.
const stripView = (() => {
  const strip = byId("strip"), status = byId("residue");
  let shown = null; // { protein, labels, blobOf, actions, options }
  let cursor = 0;

  function show(protein, labels, blobOf, actions) {
    const options = [...protein.chain.sequence].map((letter, residue) => option(letter, residue, blobOf[residue]));
    shown = { protein, labels, blobOf, actions, options };
    const tens = [];
    for (let at = 0; at < options.length; at += 10) {
      tens.push(h("div", { class: "ten", role: "presentation" },
        h("span", { class: "place", "aria-hidden": "true" }, labels[at]), options.slice(at, at + 10)));
    }
    strip.replaceChildren(...tens);
    cursor = 0;
    status.textContent = "";
    strip.removeAttribute("aria-activedescendant");
    paint();
  }

  function option(letter, residue, blob) {
    return h("span", { id: `residue-${residue}`, class: blob ? "res in" : "res", role: "option", "aria-selected": "false",
      "data-residue": residue },
      letter, h("small", { "aria-hidden": "true" }, blob ? blobNumber(blob) : ""));
  }

  function paint() {
    if (!shown) return;
    shown.options.forEach((each, residue) => {
      const blob = shown.blobOf[residue];
      each.title = describeResidue(shown.protein, shown.labels, shown.blobOf, residue);
      each.setAttribute("aria-label", each.title);
      if (!blob) return;
      const background = colouring.of(blob);
      each.style.background = background;
      each.style.color = textOn(background);
    });
  }

  function select(chosen) {
    strip.classList.toggle("chosen", chosen !== null);
    shown.options.forEach((each, residue) => {
      const blob = shown.blobOf[residue];
      each.setAttribute("aria-selected", String(Boolean(blob) && blob.slot === chosen));
    });
  }

  function point(pointed) {
    shown.options.forEach((each, residue) => each.classList.toggle("hot", pointed !== null && shown.blobOf[residue]?.slot === pointed));
  }

  function moveTo(residue) {
    shown.options[cursor].classList.remove("at");
    cursor = Math.max(0, Math.min(residue, shown.options.length - 1));
    const option = shown.options[cursor];
    option.classList.add("at");
    option.scrollIntoView({ block: "nearest" });
    strip.setAttribute("aria-activedescendant", option.id);
    status.textContent = describeResidue(shown.protein, shown.labels, shown.blobOf, cursor);
  }

  function pick() {
    const blob = shown.blobOf[cursor];
    shown.actions.pick(blob ? blob.slot : null);
  }

  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10, Home: -Infinity, End: Infinity };
  strip.addEventListener("keydown", (event) => {
    if (event.key in STEPS) moveTo(cursor + STEPS[event.key]);
    else if (event.key === "Enter" || event.key === " ") pick();
    else return;
    event.preventDefault();
  });
  strip.addEventListener("click", (event) => {
    const option = event.target.closest("[data-residue]");
    if (!option) return;
    moveTo(Number(option.dataset.residue));
    pick();
  });
  strip.addEventListener("mouseover", (event) => {
    const option = event.target.closest("[data-residue]");
    if (shown) shown.actions.point((option && shown.blobOf[Number(option.dataset.residue)]?.slot) ?? null);
  });
  strip.addEventListener("mouseleave", () => shown && shown.actions.point(null));
  strip.addEventListener("focus", () => shown && moveTo(cursor));
  colouring.listen(paint);
  return { show, select, point };
})();
