// What every 3-D view needs: a viewer where the browser can draw one, and keys that turn it.

/** A 3Dmol viewer that fills an element; null where the browser has no WebGL. */
function createViewer(element) {
  const canvas = document.createElement("canvas");
  if (!canvas.getContext("webgl2") && !canvas.getContext("webgl")) return null;
  try {
    const viewer = $3Dmol.createViewer(element, { backgroundColor: colour("canvas"), antialias: true });
    // 3Dmol asks for these at every change of size. A hidden element has none, and WebGL complains of
    // drawing into none (the colours can change out of sight): the last size is kept.
    let width = viewer.getWidth(), height = viewer.getHeight();
    viewer.getWidth = () => (width = element.offsetWidth || width);
    viewer.getHeight = () => (height = element.offsetHeight || height);
    return viewer;
  } catch (error) {
    return null;
  }
}

/** Arrow keys turn, + and - zoom what `viewer()` gives, if it gives any. */
function turnByKeys(stage, viewer) {
  const moves = {
    ArrowLeft: (v) => v.rotate(-12, "y"), ArrowRight: (v) => v.rotate(12, "y"),
    ArrowUp: (v) => v.rotate(-12, "x"), ArrowDown: (v) => v.rotate(12, "x"),
    "+": (v) => v.zoom(1.2), "=": (v) => v.zoom(1.2), "-": (v) => v.zoom(1 / 1.2),
  };
  stage.addEventListener("keydown", (event) => {
    if (!viewer() || !moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moves[event.key](viewer());
  });
}
