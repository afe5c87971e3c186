// Below a prediction: the model's card, and the files beside the page.
const aboutView = (() => {
  const section = byId("about");
  const filled = page.card.length > 0 || page.files.length > 0;
  byId("card").replaceChildren(...page.card.flatMap(([title, text]) => [h("dt", {}, title), h("dd", {}, text)]));
  byId("files").hidden = !page.files.length;
  byId("files").replaceChildren(...page.files.map(([title, name]) => h("a", { href: `./${name.split("/").map(encodeURIComponent).join("/")}` }, title)));
  return { show: (view) => { section.hidden = !filled || !["protein", "proteins"].includes(view); } };
})();
