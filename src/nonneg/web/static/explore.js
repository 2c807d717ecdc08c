// The script of every page of the explorer. Pages are complete without it, but for what is live: a fit under
// way, ratings of one's own, sliders and pictures. Texts from data are set as text, never as markup.

export const $ = (selector, where = document) => where.querySelector(selector);
export const $$ = (selector, where = document) => [...where.querySelectorAll(selector)];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export async function ask(url, body) {
  const sent = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(url, sent);
  const facts = await answer.json();
  if (!answer.ok) throw new Error(facts.error ?? "the explorer did not answer");
  return facts;
}

export function later(wait, work) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), wait);
  };
}

const round = (value, digits = 2) => value.toFixed(digits);

// --- pictures ------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
let plotly;

function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = make("script", { src: "/static/plotly.min.js" });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("the script of the pictures did not load"));
    document.head.append(script);
  });
  return plotly;
}

// Titles of figures are written for Plotly, in which "<" stands as an entity.
const plain = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/\u200b/g, "").replace(/&amp;/g, "&");

// A telephone sees a figure as narrow as READABLE made a little smaller, a wider one by scrolling.
const READABLE = 440;

function room(canvas, sheet, height, least) {
  const scale = least > READABLE ? 1 : Math.min(1, canvas.clientWidth / READABLE);
  sheet.style.cssText = scale < 1
    ? `width: ${READABLE}px; transform: scale(${scale}); transform-origin: 0 0`
    : `min-width: ${least}px`;
  canvas.style.height = scale < 1 ? `${height * scale}px` : "";
  canvas.style.overflow = scale < 1 ? "hidden" : "";
}

async function draw(figure) {
  const canvas = $(".canvas", figure);
  const sheet = $(".sheet", canvas) ?? canvas.appendChild(make("div", { class: "sheet" }));
  const url = new URL(figure.dataset.figure, location);
  url.searchParams.set("theme", dark.matches ? "dark" : "light");
  try {
    const [shown, Plotly] = await Promise.all([ask(url), loadPlotly()]);
    const { title, note, head, least } = shown.layout.meta;
    // The title stands above as a text, which breaks where the page is narrow; what is saved has it.
    const layout = { ...shown.layout, autosize: true, title: undefined, height: shown.layout.height - head };
    layout.margin = { ...layout.margin, t: layout.margin.t - head };
    $(".said", figure).replaceChildren(plain(title), make("small", {}, plain(note)));
    room(canvas, sheet, layout.height, least);
    await Plotly.react(sheet, shown.data, layout, { responsive: true, displayModeBar: false });
    figure.removeAttribute("data-failed");
    $(".tools", figure).hidden = false;
    for (const button of $$("[data-save]", figure)) {
      button.onclick = () => Plotly.downloadImage(shown, {
        format: button.dataset.save, filename: figure.dataset.name,
        width: Math.max(sheet.clientWidth, 640), height: shown.layout.height, scale: button.dataset.save === "png" ? 2 : 1,
      });
    }
  } catch (error) {
    figure.setAttribute("data-failed", "");
    canvas.textContent = error.message;
  }
  figure.setAttribute("data-drawn", "");
}

const inSight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    inSight.unobserve(target);
    draw(target);
  }
}, { rootMargin: "400px" });
$$(".plot").forEach((figure) => inSight.observe(figure));
const redraw = later(200, () => $$(".plot[data-drawn]").forEach(draw));
dark.addEventListener("change", redraw);
matchMedia("(max-width: 30rem)").addEventListener("change", redraw);

// --- files that would be refused, before they are sent --------------------------------------------

for (const input of $$("input[data-most]")) {
  input.addEventListener("change", () => {
    const { most, files = Infinity } = input.dataset;
    const size = [...input.files].reduce((sum, file) => sum + file.size, 0);
    const many = input.files.length > files ? `${input.files.length} files, of which the explorer opens ${files}` : "";
    const large = size > most ? `${Math.ceil(size / 2 ** 20)} MB, of which the explorer opens ${Math.floor(most / 2 ** 20)}` : "";
    input.setCustomValidity(many || large ? `${many || large}: use the command line for it, or choose less` : "");
    input.reportValidity();
  });
}

// --- a fit under way -----------------------------------------------------------------------------

async function follow(box) {
  let since = 0;
  const curve = [];
  for (;;) {
    const job = await ask(`${box.dataset.job}?since=${since}`);
    since = job.points;
    curve.push(...job.curve);
    $("#phase").textContent = job.message || job.phase;
    $("#clock").textContent = `${round(job.seconds, 1)} s`;
    if (job.share > 0) $("#share").value = job.share;
    if (curve.length > 1) drawCurve(curve);
    if (job.page) return location.replace(job.page);
    if (job.state !== "running") return location.reload();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

function drawCurve(points) {
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const values = points.map((point) => point[1]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const at = ([n, value]) => [
    (600 * (n - first)) / (last - first || 1), 230 - (220 * (value - low)) / (high - low || 1)];
  $("#curve polyline").setAttribute("points", points.map((point) => at(point).map((x) => x.toFixed(1)).join()).join(" "));
  $("#objective").textContent = `${values.at(-1).toPrecision(6)} after ${last} iterations`;
  $("#curve").hidden = false;
}

const job = $("#job[data-state=running]");
if (job) follow(job).catch((error) => { $("#phase").textContent = error.message; });

// --- items to choose from ------------------------------------------------------------------------

function suggest(input, url, list) {
  const fill = later(120, async () => {
    const items = await ask(`${url}?q=${encodeURIComponent(input.value)}`).catch(() => []);
    list.replaceChildren(...items.map((one) => make("option", { value: one.title ?? one.item })));
  });
  input.addEventListener("input", fill);
  input.addEventListener("focus", fill, { once: true });
}
$$("input[data-find]").forEach((input) => suggest(input, input.dataset.find, input.list));

// --- ratings of one's own ------------------------------------------------------------------------

const taste = $("#taste");
if (taste) startTaste(taste);

function startTaste(box) {
  const [low, high] = [Number(box.dataset.low), Number(box.dataset.high)];
  const ratings = new Map();
  const marks = Number.isInteger(low) && Number.isInteger(high) && high - low <= 9
    ? Array.from({ length: high - low + 1 }, (_, i) => low + i) : null;
  let asked = 0;

  const refresh = later(150, async () => {
    const mine = ++asked;
    const own = Object.fromEntries(ratings);
    $("#because").hidden = true;
    if (!ratings.size) {
      $("#state").textContent = "Nothing is rated yet: rate something on this page.";
      return $("#answers").replaceChildren();
    }
    try {
      const facts = await ask(box.dataset.list, { ratings: own, n: 10 });
      if (mine !== asked) return;
      $("#state").textContent = `From ${ratings.size} rating${ratings.size === 1 ? "" : "s"} of yours:`;
      $("#answers").replaceChildren(...facts.items.map((one) => answer(one, own)));
    } catch (error) {
      if (mine === asked) $("#state").textContent = error.message;
    }
  });

  function answer(one, own) {
    const button = make("button", { type: "button", "aria-label": `Why ${one.title ?? one.item}?` }, one.title ?? String(one.item));
    button.onclick = () => explain(one, own);
    const because = one.because.length
      ? `because of ${one.because.map((part) => part.item === null ? `a taste for ${part.name}` : `your ${ratings.get(String(part.name)) ?? ratings.get(String(part.item)) ?? "rating"} for ${part.name}`).join(", ")}`
      : "by what everybody thinks of it";
    return make("li", {}, button, make("span", { class: "num" }, round(one.estimate)), make("span", { class: "because" }, because));
  }

  async function explain(one, own) {
    try {
      const why = await ask(box.dataset.why, { ratings: own, item: String(one.item) });
      $("#becausehead").textContent = `Why ${one.title ?? one.item}`;
      const changes = why.counterfactuals.map((change) => make("li", {}, `without your ${change.rating} for ${change.title ?? change.item} it would be ${round(change.estimate)}`));
      $("#becausebody").replaceChildren(reasons(why), make("ul", {}, ...changes));
      $("#because").hidden = false;
      $("#because").scrollIntoView({ block: "nearest", behavior: "smooth" });
    } catch (error) {
      $("#state").textContent = error.message;
    }
  }

  function rate(item, value) {
    if (value === null) ratings.delete(item);
    else ratings.set(item, value);
    refresh();
  }

  function control(row) {
    const { item } = row.dataset;
    if (!marks) {
      const input = make("input", { type: "number", min: low, max: high, step: "any", placeholder: `${low}–${high}`, "aria-label": `Your rating, ${low} to ${high}` });
      input.oninput = () => rate(item, input.value === "" || !input.validity.valid ? null : Number(input.value));
      return row.append(input);
    }
    const set = make("fieldset", { class: "marks", "aria-label": `Your rating of ${row.textContent}` });
    for (const mark of marks) {
      const input = make("input", { type: "radio", name: `rate-${item}`, value: mark });
      input.onchange = () => rate(item, mark);
      set.append(make("label", {}, input, make("span", {}, String(mark))));
    }
    row.append(set);
  }

  $$("#rate li").forEach(control);
  const find = $("#find");
  suggest(find, box.dataset.find, $("#found"));
  find.addEventListener("change", async () => {
    if (!find.value.trim()) return;
    const items = await ask(`${box.dataset.find}?q=${encodeURIComponent(find.value)}`).catch(() => []);
    const one = items.find(({ item, title }) => [item, title].includes(find.value)) ?? items[0];
    if (!one) return void ($("#state").textContent = `There is no item like “${find.value}”.`);
    let row = $$("#rate li").find((each) => each.dataset.item === one.item);
    if (!row) {
      row = make("li", { "data-item": one.item }, make("span", {}, one.title ?? one.item));
      control(row);
    }
    $("#rate").prepend(row);
    find.value = "";
    $("input", row).focus();
  });
  $("#clear").onclick = () => {
    ratings.clear();
    $$("#rate input").forEach((input) => { if (input.type === "radio") input.checked = false; else input.value = ""; });
    refresh();
  };
}

function reasons(why) {
  const most = Math.max(...why.steps.map((step) => Math.abs(step.contribution)), 1e-9);
  const rows = why.steps.map((step) => make("tr", {},
    make("th", { scope: "row" }, step.name),
    make("td", {}, bar(step.contribution, most)),
    make("td", { class: "num" }, (step.contribution < 0 ? "−" : "+") + round(Math.abs(step.contribution)))));
  const foot = make("tfoot", {}, make("tr", {}, make("th", { scope: "row" }, "Estimate"), make("td"), make("td", { class: "num" }, round(why.estimate))));
  return make("table", { class: "reasons" }, make("tbody", {}, ...rows), foot);
}

function bar(value, most) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", value < 0 ? "bar less" : "bar");
  svg.setAttribute("aria-hidden", "true");
  const rectangle = document.createElementNS(space, "rect");
  rectangle.setAttribute("width", ((100 * Math.abs(value)) / most).toFixed(1));
  rectangle.setAttribute("height", "10");
  svg.append(rectangle);
  return svg;
}

// --- where the tree is cut -----------------------------------------------------------------------

const cut = $("#cut input");
if (cut) {
  const move = later(120, async () => {
    const facts = await ask(`${location.pathname}.json?cut=${cut.value}`);
    $("#groups").replaceChildren(...facts.consensus.groups.map((one) => make("li", {},
      make("span", { class: `chip t${(one.number - 1) % 14}` }, String(one.number)), " ", make("strong", {}, String(one.n_samples)), " ",
      make("span", { class: "members" }, one.samples.join("; ") + (one.n_samples > one.samples.length ? "; …" : "")))));
    const figure = $(".plot[data-name=consensus]");
    figure.dataset.figure = figure.dataset.figure.replace(/\?.*/, "") + `?cut=${cut.value}`;
    if (figure.hasAttribute("data-drawn")) draw(figure);
  });
  cut.addEventListener("input", () => { $("#cutinto").textContent = cut.value; move(); });
}
