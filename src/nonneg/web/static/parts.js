// The pages with pictures: pictures as canvases, a slider that adds parts, pixels hidden by hand.

import { $, $$, ask, later } from "/static/explore.js";

const box = $("#parts");
const facts = await ask(box.dataset.facts);
const percent = (share) => `${Math.round(100 * share)} %`;

function paint(canvas, { height, width, colour, bytes }, hidden = new Set(), at = -1) {
  const values = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const shade = colour ? values.subarray(3 * i, 3 * i + 3) : [values[i], values[i], values[i]];
    image.data.set(hidden.has(i) ? [213, 94, 0, 255] : [...shade, 255], 4 * i);
    if (i === at) image.data.set([86, 180, 233, 255], 4 * i);
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const shown = facts.parts ?? facts.shown;
$$("#gallery canvas").forEach((canvas, at) => paint(canvas, shown[at].pixels));
if (facts.picture) {
  stepByStep(facts.picture);
  mending(facts.picture.pixels);
}

// --- part by part --------------------------------------------------------------------------------

function stepByStep({ pixels, stages }) {
  const slider = $("#stage");
  const nothing = { ...pixels, bytes: btoa("\0".repeat(atob(pixels.bytes).length)) };

  function show() {
    const n = Number(slider.value);
    const stage = stages[n - 1];
    paint($("#sofar"), stage?.pixels ?? nothing);
    paint($("#added"), stage ? facts.parts[stage.number - 1].pixels : nothing);
    $("#told").textContent = stage ? `${n} of ${stages.length} parts: ${percent(stage.error)} is left over` : "no part yet";
    $("#last").textContent = stage ? `part ${stage.number} adds ${percent(stage.share)} of the brightness` : "";
    slider.setAttribute("aria-valuetext", $("#told").textContent);
  }
  slider.addEventListener("input", show);
  paint($("#whole"), pixels);
  show();
}

// --- pixels hidden by hand -----------------------------------------------------------------------

function mending(pixels) {
  const { height, width } = pixels;
  const canvas = $("#hide");
  const hidden = new Set();
  const brush = Math.max(0, Math.floor(Math.min(height, width) / 32));
  let [row, column, asked, hiding] = [height >> 1, width >> 1, 0, null];

  const mend = later(80, async () => {
    const mine = ++asked;
    try {
      const mended = await ask(box.dataset.repair, { picture: Number(box.dataset.picture), hidden: [...hidden] });
      if (mine !== asked) return;
      paint($("#mended"), mended.pixels);
      $("#mendedtold").textContent = mended.error === null ? "Repaired, as soon as something is hidden."
        : `Repaired: off by ${percent(mended.error)} of white; the mean picture would be by ${percent(mended.error_of_mean)}.`;
    } catch (error) {
      $("#mendedtold").textContent = error.message;
    }
  });

  function changed() {
    const keyed = document.activeElement === canvas && canvas.matches(":focus-visible");
    paint(canvas, pixels, hidden, keyed ? row * width + column : -1);
    $("#hidden").textContent = hidden.size ? `${hidden.size} of ${height * width} pixels are hidden.` : "Nothing is hidden.";
    mend();
  }

  function mark(r, c) {
    for (let y = Math.max(0, r - brush); y <= Math.min(height - 1, r + brush); y++)
      for (let x = Math.max(0, c - brush); x <= Math.min(width - 1, c + brush); x++)
        if (hiding) hidden.add(y * width + x); else hidden.delete(y * width + x);
    changed();
  }

  function place(event) {
    const edge = canvas.getBoundingClientRect();
    const within = (share, size) => Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    return [within((event.clientY - edge.top) / edge.height, height), within((event.clientX - edge.left) / edge.width, width)];
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const [r, c] = place(event);
    hiding = !hidden.has(r * width + c);
    mark(r, c);
  });
  canvas.addEventListener("pointermove", (event) => { if (hiding !== null && event.buttons) mark(...place(event)); });
  canvas.addEventListener("pointerup", () => { hiding = null; });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    if (move) {
      row = Math.min(height - 1, Math.max(0, row + move[0]));
      column = Math.min(width - 1, Math.max(0, column + move[1]));
      return changed();
    }
    hiding = !hidden.has(row * width + column);
    mark(row, column);
    hiding = null;
  });
  canvas.addEventListener("focus", changed);
  canvas.addEventListener("blur", changed);
  $("#band").onclick = () => {
    const [first, last] = [Math.floor(height * 0.3), Math.ceil(height * 0.6)];
    for (let i = first * width; i < last * width; i++) hidden.add(i);
    changed();
  };
  $("#shownall").onclick = () => { hidden.clear(); changed(); };
  changed();
}
