// A tolerant search: case, punctuation and the order of words don't matter; names and accessions count as well.
const search = (() => {
  const words = (text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const joined = (text) => words(text).join("");
  const WHOLE = 3; // letters below which a word has to be a whole one
  const known = new Map(); // protein -> { id, list, text }

  function of(protein) {
    if (!known.has(protein)) {
      const list = words([protein.id, classNames(protein.predicted), classNames(protein.true), protein.known?.name ?? "", protein.known?.words ?? ""].join(" "));
      const id = joined(protein.id);
      known.set(protein, { id, list: new Set(list), text: [id, ...list].join(" ") });
    }
    return known.get(protein);
  }

  /** The proteins that hold every word; of several words that spell an identifier ("1bxo a"), only those named so. */
  function among(proteins, query) {
    const wanted = words(query);
    if (!wanted.length) return proteins;
    const spelled = wanted.length > 1 ? proteins.filter((protein) => of(protein).id.includes(wanted.join(""))) : [];
    if (spelled.length) return spelled;
    return proteins.filter((protein) => {
      const { list, text } = of(protein);
      return wanted.every((word) => (word.length < WHOLE ? list.has(word) : text.includes(word)));
    });
  }

  return { among };
})();
