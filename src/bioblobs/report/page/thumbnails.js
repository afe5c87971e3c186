// Small pictures of proteins: the C-alpha trace in the plane in which it is widest, coloured by contribution; drawn when seen.
const thumbnails = (() => {
  const SIZE = { width: 132, height: 92, margin: 8 };
  const drawn = new Map(); // canvas -> protein, of those that are on the page
  const flat = new WeakMap(); // protein -> [x, y, depth] per residue
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "150px" });

  /** A canvas that is drawn once it comes into sight. */
  function of(protein) {
    const canvas = h("canvas", { class: "thumb-picture", "aria-hidden": "true" });
    drawn.set(canvas, protein);
    seen.observe(canvas);
    return canvas;
  }

  /** Forget what is no longer on the page. */
  function tidy() {
    for (const canvas of drawn.keys()) {
      if (canvas.isConnected) continue;
      seen.unobserve(canvas);
      drawn.delete(canvas);
    }
  }

  function draw(canvas) {
    const protein = drawn.get(canvas), ink = canvas.getContext("2d");
    if (!protein || !ink) return;
    const scale = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: SIZE.width * scale, height: SIZE.height * scale });
    ink.scale(scale, scale);
    ink.lineCap = "round";
    const points = placed(protein), colours = residueColours(protein);
    const depths = points.map(([, , depth]) => depth);
    const [far, near] = [Math.min(...depths), Math.max(...depths)];
    const steps = points.slice(1).map((to, at) => ({ from: points[at], to, at: at + 1 })).filter(({ to, from }) => to[3] === from[3])
      .sort((a, b) => a.to[2] - b.to[2]);
    const edge = colour("rest"); // round each step, so that near-white ones are seen on any ground
    for (const { from, to, at } of steps) {
      const width = 1.4 + (2.2 * (to[2] - far)) / (near - far || 1);
      for (const [paint, wide] of [[edge, width + 1.3], [colours[at], width]]) {
        ink.strokeStyle = paint;
        ink.lineWidth = wide;
        ink.beginPath();
        ink.moveTo(from[0], from[1]);
        ink.lineTo(to[0], to[1]);
        ink.stroke();
      }
    }
    canvas.dataset.drawn = "";
  }

  function residueColours(protein) {
    const colours = new Array(protein.length).fill(colour("rest"));
    for (const blob of protein.blobs) {
      const own = contributionColour(protein, blob);
      for (const residue of blob.residues) colours[residue] = own;
    }
    return colours;
  }

  /** Places in the picture: x, y, depth, and the number of the unbroken stretch. */
  function placed(protein) {
    if (!flat.has(protein)) flat.set(protein, turned(alphas(unpackCoordinates(protein.chain.backbone)), protein.chain.breaks));
    const points = flat.get(protein);
    const ends = [0, 1].map((axis) => [Math.min(...points.map((p) => p[axis])), Math.max(...points.map((p) => p[axis]))]);
    const room = [SIZE.width, SIZE.height].map((size) => size - 2 * SIZE.margin);
    const scale = Math.min(...ends.map(([low, high], axis) => room[axis] / Math.max(high - low, 1)));
    const middle = ends.map(([low, high]) => (low + high) / 2);
    return points.map(([x, y, depth, stretch]) => [SIZE.width / 2 + (x - middle[0]) * scale, SIZE.height / 2 - (y - middle[1]) * scale, depth, stretch]);
  }

  const alphas = (coordinates) => Array.from({ length: coordinates.length / 12 }, (_, residue) => [3, 4, 5].map((at) => coordinates[12 * residue + at]));

  /** Points on their principal axes, widest first. */
  function turned(points, breaks) {
    const middle = [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
    const moved = points.map((point) => point.map((value, axis) => value - middle[axis]));
    const first = widest(moved, []);
    const second = widest(moved, [first]);
    const third = [1, 2, 0].map((a, at) => first[a] * second[[2, 0, 1][at]] - first[[2, 0, 1][at]] * second[a]);
    const begins = new Set(breaks);
    let stretch = 0;
    return moved.map((point, at) => {
      if (begins.has(at)) stretch += 1;
      return [...[first, second, third].map((axis) => dot(axis, point)), stretch];
    });
  }

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

  /** The direction, at right angles to `others`, along which points spread most (power iteration). */
  function widest(points, others) {
    const squares = [0, 1, 2].map((a) => [0, 1, 2].map((b) => points.reduce((sum, point) => sum + point[a] * point[b], 0)));
    let axis = [0.36, 0.48, 0.8];
    for (let round = 0; round < 40; round++) {
      let next = squares.map((row) => dot(row, axis));
      for (const other of others) next = next.map((value, at) => value - dot(next, other) * other[at]);
      const size = Math.hypot(...next);
      if (size < 1e-9) break;
      axis = next.map((value) => value / size);
    }
    return axis;
  }

  scheme.addEventListener("change", () => {
    for (const canvas of drawn.keys()) if ("drawn" in canvas.dataset) draw(canvas);
  });
  return { of, tidy };
})();
