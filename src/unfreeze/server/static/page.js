// The page on which photos get their labels: that of `unfreeze serve`, and in the workbench the one of a run's model.
import { alarm, ask, byId, element, keepToken, printable, takeToken, useToken, WAIT_MS } from "./parts.js";

const AT_ONCE = 4; // photos that are under way; the service puts them through the network together
const SHOWN = 3; // labels of a photo
const NEAR = 4; // training photos beside it

const photos = []; // {name, file, card, answers: Map of model to what was said}
const models = new Map();
const waiting = [];
let wanted = ""; // in the workbench, the run whose model is tried
let underWay = 0;

// ---- models ----

const chosen = () => [byId("model").value, byId("second").value].filter((name, place) => name && (place === 0 || name !== byId("model").value));

async function loadModels() {
  try {
    if (wanted) await ask(`/v1/runs/${encodeURIComponent(wanted)}/model`, { method: "POST" });
    const found = await ask("/v1/models");
    models.clear();
    found.models.forEach(model => models.set(model.name, model));
  } catch (error) {
    alarm(error.message);
    return;
  } finally {
    byId("loading")?.remove();
  }
  alarm("");
  for (const id of ["model", "second"]) {
    const select = byId(id);
    [...select.options].filter(option => option.value).forEach(option => option.remove());
    models.forEach((_, name) => select.append(new Option(name, name)));
  }
  if (models.has(wanted)) byId("model").value = wanted;
  byId("choices").hidden = false;
  byId("beside").hidden = models.size < 2;
  showModel();
  askForAll(); // what was given before the models were there
}

function showModel() {
  const model = models.get(byId("model").value);
  if (!model) return;
  byId("tab-report").hidden = !model.has_report;
  byId("report").hidden = true;
  byId("report-said").textContent = "";
  byId("card").textContent = "";
  if (byId("tab-report").hidden && byId("tab-report").ariaSelected === "true") select(byId("tab-photos"));
  document.querySelectorAll("[role=tab][aria-selected=true]").forEach(openPanel);
}

async function showReport(name) {
  byId("report-said").textContent = "Opening the report …";
  try {
    const { address } = await ask(`/v1/model/${encodeURIComponent(name)}/report`, { method: "POST" });
    byId("report").src = address;
    byId("report").hidden = false;
    byId("report-said").textContent = `The report of the run that made ${name}.`;
  } catch (error) {
    byId("report-said").textContent = error.message;
  }
}

async function showCard(name) {
  try {
    const { model, card, licence } = await ask(`/v1/model/${encodeURIComponent(name)}`);
    const facts = {
      Classes: model.classes.join(", "),
      Network: `${model.network}, ${model.size} × ${model.size} pixels`,
      Version: model.version,
      "Licence of the source weights": licence,
    };
    byId("facts").replaceChildren(
      ...Object.entries(facts).flatMap(([term, text]) => [element("dt", "", term), element("dd", "", text)]),
    );
    byId("card").textContent = card;
    byId("card").hidden = !card;
  } catch (error) {
    byId("card").textContent = error.message;
  }
}

// ---- tabs ----

const tabs = () => [...document.querySelectorAll("[role=tab]")].filter(tab => !tab.hidden);

function select(tab) {
  document.querySelectorAll("[role=tab]").forEach(one => {
    const on = one === tab;
    one.setAttribute("aria-selected", String(on));
    one.tabIndex = on ? 0 : -1;
    byId(one.getAttribute("aria-controls")).hidden = !on;
  });
  openPanel(tab);
}

function openPanel(tab) {
  const name = byId("model").value;
  if (tab.id === "tab-report" && byId("report").hidden) showReport(name);
  if (tab.id === "tab-card" && !byId("card").textContent) showCard(name);
}

function moveAmongTabs(event) {
  const there = tabs();
  const at = there.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: there.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const tab = there[(to + there.length) % there.length];
  select(tab);
  tab.focus();
}

// ---- photos ----

function add(files) {
  const most = Number(document.body.dataset.mostBytes);
  if (byId("panel-photos").hidden) select(byId("tab-photos"));
  for (const file of files) {
    const card = byId("one").content.firstElementChild.cloneNode(true);
    const photo = { name: printable(file.name || "pasted photo"), file, card, added: photos.length, answers: new Map() };
    const image = card.querySelector("img");
    image.alt = `Photo ${photo.name}`;
    image.addEventListener("error", () => {
      image.hidden = true;
      card.querySelector(".no-preview").hidden = false;
    });
    image.src = photo.address = URL.createObjectURL(file);
    card.querySelector(".name").textContent = photo.name;
    card.querySelector(".name").title = photo.name;
    if (file.size > most) photo.tooLarge = `The photo has ${file.size.toLocaleString("en")} bytes, ${most.toLocaleString("en")} at most.`;
    photos.push(photo);
    byId("gallery").append(card);
  }
  askForAll();
}

function askForAll() {
  byId("drop").classList.toggle("small", photos.length > 0);
  byId("bar").hidden = photos.length === 0;
  for (const photo of photos) {
    for (const name of chosen()) {
      if (photo.answers.has(name)) continue;
      photo.answers.set(name, photo.tooLarge ? { failed: photo.tooLarge } : {});
      if (!photo.tooLarge) waiting.push({ photo, name });
    }
    show(photo);
  }
  work();
}

function work() {
  while (underWay < AT_ONCE && waiting.length) {
    underWay += 1;
    classify(waiting.shift()).finally(() => {
      underWay -= 1;
      work();
    });
  }
  say();
}

async function classify({ photo, name }) {
  try {
    const { answer, said } = await asked(photo, { model: name, top: SHOWN, nearest: NEAR });
    photo.answers.set(name, { ...answer, version: said.version, failed: answer.problem?.detail });
  } catch (error) {
    photo.answers.set(name, { failed: error.message });
  }
  show(photo);
  arrange();
}

async function asked(photo, wanted) {
  const form = new FormData();
  form.append("photo", photo.file, photo.name);
  const said = await ask(`/v1/predict?${new URLSearchParams(wanted)}`, { method: "POST", body: form });
  return { answer: said.photos[0], said };
}

const amount = answer => (answer.probability === null ? answer.score.toFixed(2) : `${(100 * answer.probability).toFixed(1)} %`);

function show(photo) {
  const names = chosen();
  const labels = new Set(names.map(name => photo.answers.get(name)?.label).filter(Boolean));
  const blocks = names.map(name => answerBlock(photo, name, { named: names.length > 1, differs: labels.size > 1 }));
  photo.card.querySelector(".answers").replaceChildren(...blocks);
}

function answerBlock(photo, name, { named, differs }) {
  const answer = photo.answers.get(name) ?? {};
  const block = element("div");
  if (named) block.append(element("p", "who", name));
  if (answer.failed) block.append(element("p", "failed", answer.failed));
  else if (!answer.label) block.append(element("p", "waits", "…"));
  else {
    const label = element("p", differs ? "label differs" : "label", `${answer.label} `);
    label.append(element("span", "", amount(answer)));
    block.append(label);
    if (answer.unlike?.marked) block.append(element("p", "unlike", "unlike anything in training"));
    block.append(topList(answer.top));
    if (models.get(name)?.has_heat) block.append(...heatParts(photo, name, answer));
    if (answer.nearest.length) block.append(element("p", "beside", "Training photos most like it"), nearList(answer.nearest));
  }
  return block;
}

function topList(top) {
  const list = element("ul", "top");
  for (const guess of top) {
    const item = element("li");
    item.append(element("span", "of", guess.label), element("span", "much", amount(guess)));
    if (guess.probability !== null) {
      const track = element("div", "track");
      const fill = element("div", "fill");
      fill.style.width = `${100 * guess.probability}%`;
      track.append(fill);
      item.append(track);
    }
    list.append(item);
  }
  return list;
}

function nearList(nearest) {
  const list = element("ul", "near");
  for (const one of nearest) {
    one.address ??= addressOf(one.picture);
    const item = element("li");
    const image = element("img");
    image.src = one.address;
    image.alt = `Training photo ${printable(one.name)}`;
    image.title = `${printable(one.name)}, ${Math.round(100 * one.similarity)} % alike`;
    item.append(image, element("span", "", one.label));
    list.append(item);
  }
  return list;
}

const addressOf = picture =>
  URL.createObjectURL(new Blob([Uint8Array.from(atob(picture), byte => byte.charCodeAt(0))], { type: "image/webp" }));

// ---- where the network looked ----

// A button, and below it the picture while it is wanted. The answer keeps both, since its card is drawn anew.
function heatParts(photo, name, answer) {
  const button = element("button", "look", "Where it looked");
  button.type = "button";
  button.setAttribute("aria-expanded", String(Boolean(answer.looking)));
  const below = element("div", "heat");
  below.setAttribute("role", "status");
  if (answer.looking) showHeat(below, photo, answer);
  button.addEventListener("click", () => {
    answer.looking = !answer.looking;
    button.setAttribute("aria-expanded", String(answer.looking));
    below.replaceChildren();
    if (answer.looking) findHeat(photo, name, answer).then(() => answer.looking && showHeat(below, photo, answer));
  });
  return [button, below];
}

async function findHeat(photo, name, answer) {
  if (answer.heat) return;
  try {
    const found = await asked(photo, { model: name, top: 1, heat: true });
    const same = found.said.version === answer.version; // else the model was replaced in between
    answer.heat = same ? found.answer.heat : { note: "The model has changed: give the photo again." };
  } catch (error) {
    answer.heat = { note: error.message };
  }
}

function showHeat(below, photo, answer) {
  if (!answer.heat) return;
  if (answer.heat.note) {
    below.replaceChildren(element("p", "soft", answer.heat.note));
    return;
  }
  answer.heat.address ??= addressOf(answer.heat.picture);
  const image = element("img");
  image.src = answer.heat.address;
  image.alt = printable(`${photo.name} as the network takes it, dark where nothing speaks for ${answer.label}`);
  const most = placeOf(answer.heat.grid);
  const words = most ? `Bright where the photo speaks for ${answer.label}: most ${most}.` : `Nothing in it speaks for ${answer.label}.`;
  below.replaceChildren(image, element("p", "", words));
}

// Where the middle of a map's light lies, in words; empty if all of it is dark.
function placeOf(grid) {
  const lights = grid.flatMap((row, y) => row.map((light, x) => ({ light, down: (y + 0.5) / grid.length, right: (x + 0.5) / row.length })));
  const all = lights.reduce((sum, one) => sum + one.light, 0);
  if (!all) return "";
  const mean = side => lights.reduce((sum, one) => sum + one.light * one[side], 0) / all;
  const word = (share, low, high) => (share < 0.4 ? low : share > 0.6 ? high : "");
  const parts = [word(mean("down"), "at the top", "at the bottom"), word(mean("right"), "on the left", "on the right")].filter(Boolean);
  return parts.join(", ") || "in the middle";
}

// ---- the line above, and the order ----

function say() {
  const names = chosen();
  const all = photos.length * names.length;
  const said = photos.flatMap(photo => names.map(name => photo.answers.get(name) ?? {}));
  const done = said.filter(answer => answer.label || answer.failed).length;
  const failed = photos.filter(photo => names.some(name => photo.answers.get(name)?.failed)).length;
  const noun = photos.length === 1 ? "photo" : "photos";
  const strange = photos.filter(photo => first(photo).unlike?.marked).length;
  const parts = [done < all ? `${done} of ${all} answered` : `${photos.length} ${noun}`];
  if (strange) parts.push(`${strange} unlike anything in training`);
  if (failed) parts.push(`${failed} could not be read`);
  byId("said").textContent = parts.join(", ");
}

const first = photo => photo.answers.get(byId("model").value) ?? {};
const measure = photo => first(photo).probability ?? first(photo).score ?? -Infinity;
const ORDERS = {
  added: (a, b) => a.added - b.added,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  label: (a, b) => (first(a).label ?? "\uffff").localeCompare(first(b).label ?? "\uffff") || measure(b) - measure(a),
  sure: (a, b) => measure(b) - measure(a),
  unsure: (a, b) => measure(a) - measure(b),
  strange: (a, b) => (first(a).unlike?.likeness ?? 1) - (first(b).unlike?.likeness ?? 1),
};

function arrange() {
  const wanted = [...photos].sort(ORDERS[byId("order").value]).map(photo => photo.card);
  const gallery = byId("gallery");
  if (wanted.some((card, place) => gallery.children[place] !== card)) gallery.append(...wanted);
}

function clear() {
  photos.forEach(photo => URL.revokeObjectURL(photo.address));
  photos.length = waiting.length = 0;
  byId("gallery").replaceChildren();
  askForAll();
  byId("choose").focus();
}

// ---- CSV ----

// A cell that a spreadsheet would take for a formula gets an apostrophe before it.
function cell(value) {
  const text = value === null || value === undefined ? "" : printable(String(value));
  const guarded = typeof value === "string" && /^[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

function download() {
  const rows = [["photo", "model", "version", "label", "probability", "score", "likeness", "unlike", "problem"]];
  const shown = [...photos].sort(ORDERS[byId("order").value]);
  for (const photo of shown) {
    for (const name of chosen()) {
      const said = photo.answers.get(name) ?? {};
      const { likeness, marked } = said.unlike ?? {};
      const told = [said.label, said.probability, said.score, likeness, marked ? "unlike" : "", said.failed];
      rows.push([photo.name, name, said.version, ...told]);
    }
  }
  const text = rows.map(row => `${row.map(cell).join(",")}\r\n`).join("");
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "labels.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), WAIT_MS);
}

// ---- what the user does ----

function listenForFiles() {
  for (const id of ["choose", "take"]) {
    byId(id).addEventListener("change", event => {
      add(event.target.files);
      event.target.value = "";
    });
  }
  document.addEventListener("paste", event => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) {
      event.preventDefault();
      add(files);
    }
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, event => {
      event.preventDefault();
      byId("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") add(event.dataTransfer.files);
    });
  }
}

function begin() {
  const given = takeToken();
  if (byId("above")) {
    wanted = given.get("model") ?? "";
    keepToken(); // which the workbench keeps, too
  }
  document.querySelectorAll("[role=tab]").forEach(tab => tab.addEventListener("click", () => select(tab)));
  byId("tabs").addEventListener("keydown", moveAmongTabs);
  byId("model").addEventListener("change", () => {
    showModel();
    askForAll();
    arrange();
  });
  byId("second").addEventListener("change", askForAll);
  byId("order").addEventListener("change", arrange);
  byId("csv").addEventListener("click", download);
  byId("clear").addEventListener("click", clear);
  byId("token-form")?.addEventListener("submit", event => {
    event.preventDefault();
    useToken(byId("token").value.trim());
    if (byId("above")) keepToken();
    byId("token-form").hidden = true;
    loadModels();
  });
  listenForFiles();
  loadModels();
}

begin();
