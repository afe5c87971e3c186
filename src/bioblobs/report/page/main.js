// Which part of the page is open is in its address, so that each protein and code can be linked.
const views = [...document.querySelectorAll("[data-view]")];
const names = views.map((view) => view.dataset.view);
const title = document.title;
// A page about one protein opens on it.
const only = names[0] === "proteins" && page.proteins.length === 1 ? page.proteins[0] : null;

function open() {
  const [asked, query] = location.hash.slice(1).split(/\?(.*)/s);
  const parameters = new URLSearchParams(query ?? "");
  let name = names.includes(asked) ? asked : only ? "protein" : names[0];
  const protein = asked ? page.proteins.find((each) => each.id === parameters.get("id")) : only;
  if (name === "protein" && !protein) name = "proteins";
  for (const view of views) view.hidden = view.dataset.view !== name;
  if (name === "overview") {
    overviewGallery.show(parameters);
    const overview = views.find((view) => view.dataset.view === name);
    afterPaint(() => overview.hidden || heroView.show(parameters)); // a reader may have gone on by then
  }
  if (name === "evidence") heatmapView.show();
  if (name === "proteins") galleryView.show(parameters);
  if (name === "protein") proteinView.show(protein, parameters.has("blob") ? Number(parameters.get("blob")) : null, byId("protein-slot"));
  if (name === "codes") codesView.show();
  if (name === "code") codesView.showOne(Number(parameters.get("n")));
  aboutView.show(name);
  const part = { protein: "proteins", code: "codes" }[name] ?? name;
  for (const link of document.querySelectorAll(".top nav a")) {
    link.toggleAttribute("aria-current", link.hash === `#${part}`);
    if (link.hasAttribute("aria-current")) link.setAttribute("aria-current", "page");
  }
  const [crumb] = document.querySelectorAll('[data-view="protein"] .crumbs a');
  crumb.parentElement.hidden = Boolean(only);
  crumb.href = href("proteins", galleryView.parameters());
  const heading = views.find((view) => !view.hidden).querySelector("h1").textContent.trim();
  document.title = heading ? `${heading} - ${title}` : title;
  return name === "evidence" ? byId(parameters.get("part") ?? "") : null;
}

/** Text first, then what takes longer; at once where the page is in no window that paints. */
function afterPaint(run) {
  if (document.readyState === "complete") run();
  else window.addEventListener("load", () => setTimeout(run), { once: true });
}

/** After a move, reading goes on at the new heading, or at the part of the page that was asked for. */
function moved() {
  const part = open();
  window.scrollTo(0, 0);
  const target = part ?? views.find((view) => !view.hidden).querySelector("h1");
  target.focus({ preventScroll: true });
  part?.scrollIntoView({ block: "start" });
}

window.addEventListener("hashchange", moved);
open()?.scrollIntoView({ block: "start" });
