// What colours of blobs mean: contribution to a class, attention weight, or just which blob. One choice for all views.
const colouring = (() => {
  const select = byId("colour-by"), key = byId("legend");
  const listeners = [];
  let protein = null;
  let wanted = "class-0"; // kept from protein to protein

  /** Offer what a protein has. */
  function open(shown) {
    protein = shown;
    const sums = (protein.sum ?? []).map((each, place) => [`class-${place}`, `contribution to ${className(each.class)}`]);
    const options = [...sums, ["blob", "blob"], ...(page.additive ? [] : [["importance", "attention weight"]])];
    select.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
    select.value = options.some(([value]) => value === wanted) ? wanted : options[0][0];
    legend();
  }

  /** Place of the class, among those of the protein's sum, whose contributions are shown; null if none is. */
  const place = () => (select.value.startsWith("class-") ? Number(select.value.at(-1)) : null);

  const largest = () => largestContribution(protein);

  function of(blob) {
    if (place() !== null) return signedColour(blob.contributions[place()], largest());
    if (select.value === "importance") return contributionColour(protein, blob);
    return blobColour(blob.rank - 1);
  }

  function legend() {
    const at = place();
    key.hidden = at === null;
    if (at === null) return;
    const beyond = protein.blobs.some((blob) => Math.abs(blob.contributions[at]) > largest());
    key.replaceChildren(scaleLegend(largest(), beyond), h("span", { class: "nowrap" }, h("span", { class: "swatch rest", "aria-hidden": "true" }), "in no blob"));
  }

  function changed() {
    if (!protein) return;
    legend();
    listeners.forEach((listener) => listener());
  }

  select.addEventListener("change", () => {
    wanted = select.value;
    changed();
  });
  scheme.addEventListener("change", changed);
  return { open, of, place, listen: (listener) => listeners.push(listener) };
})();

/** Where the scale of a protein ends: its largest contribution to the predicted class, as in coloured structures. */
const largestContribution = (protein) => Math.max(0, ...protein.blobs.map((blob) => Math.abs(blob.contributions[0])));

/** Of a blob by its contribution to the predicted class, or by its attention weight. */
const contributionColour = (protein, blob) => (protein.sum ? signedColour(blob.contributions[0], largestContribution(protein))
  : shade(blob.importance / (protein.blobs[0].importance || 1)));

/** A two-ended scale with its numbers and words; `beyond`: values past the ends have the ends' colours. */
function scaleLegend(largest, beyond) {
  const [low, high] = [signed(-largest, largest), signed(largest, largest)];
  return h("div", { class: "scale-key" }, h("span", { class: "scale-bar", "aria-hidden": "true" }),
    h("span", {}, h("b", {}, beyond ? `${low} or less` : low), " argues against"),
    h("span", {}, h("b", {}, "0"), " neither"),
    h("span", {}, h("b", {}, beyond ? `${high} or more` : high), " argues for"));
}
