// The workbench: folders, what is in them, runs, and what came of them. Views stand in the address, so that it can be kept.
import { alarm, ask, askWith, byId, element, keepToken, printable, Refused, reply, takeToken, useToken, WAIT_MS } from "./parts.js";

const SHOWN_PHOTOS = 8; // of a finding
const SHOWN_FILES = 50; // that cannot be used
const STATES = { running: "running", finished: "finished", stopped: "stopped, with results", unfinished: "broken off", failed: "failed" };

let place = { root: 0, path: "" }; // the folder that is shown
let looked = null; // the folder that was looked into
let list = ""; // written into that folder: its name
let followed = null; // of the run that is shown: stops following it

const count = (number, noun, nouns = `${noun}s`) => `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;
const runPath = (name, what = "") => `/v1/runs/${encodeURIComponent(name)}${what}`;

// What was refused is said; anything else is a fault of ours and stands in the console.
async function attempt(work) {
  alarm("");
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    alarm(error.message);
    byId("alarm").scrollIntoView({ block: "nearest" });
    if (!(error instanceof Refused)) throw error;
    return undefined;
  }
}

async function whileBusy(button, work) {
  button.disabled = true;
  try {
    return await attempt(work);
  } finally {
    button.disabled = false;
  }
}

// ---- choosing a folder ----

const inside = ({ root, path }) => new URLSearchParams({ root, path });

async function openFolder(wanted) {
  const found = await attempt(() => ask(`/v1/folders?${inside(wanted)}`));
  if (!found) return;
  place = { root: found.root, path: found.path };
  byId("crumbs").replaceChildren(...crumbs(found));
  byId("folders").replaceChildren(...found.folders.map(folderRow));
  const more = found.has_more ? " There are more folders than are shown." : "";
  const here = found.photos ? ` ${count(found.photos, "photo")} directly in it.` : "";
  byId("folders-said").textContent = found.folders.length ? `${count(found.folders.length, "folder")}.${here}${more}` : `No folder in this one.${here}`;
  byId("look").textContent = `Look at the photos in ${printable(found.name)}`;
  if (!looked || looked.root !== place.root || looked.path !== place.path) byId("found").hidden = true;
}

function crumbs(found) {
  const parts = found.path ? found.path.split("/") : [];
  const steps = found.roots.map((name, root) => ({ name, root, path: "" })).filter(step => step.root === found.root || !parts.length);
  parts.forEach((name, number) => steps.push({ name, root: found.root, path: parts.slice(0, number + 1).join("/") }));
  return steps.flatMap((step, number) => {
    const button = element("button", "", step.name);
    button.type = "button";
    if (step.root === found.root && step.path === found.path) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => openFolder(step));
    return number ? [element("span", "", parts.length ? "/" : "·"), button] : [button];
  });
}

function folderRow(folder) {
  const row = element("li");
  const button = element("button");
  button.type = "button";
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 20");
  icon.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", "M2 4a2 2 0 0 1 2-2h5l3 3h8a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2z");
  icon.append(shape);
  const holds = [folder.photos && count(folder.photos, "photo"), folder.folders && count(folder.folders, "folder")].filter(Boolean);
  button.append(icon, element("span", "name-of", folder.name), element("span", "soft", holds.join(", ") || "empty"));
  button.addEventListener("click", async () => {
    await openFolder({ root: place.root, path: folder.path });
    byId("look").focus();
  });
  row.append(button);
  return row;
}

// ---- what is in it ----

async function look({ anew = false } = {}) {
  const wanted = place;
  byId("found").hidden = true;
  const found = await whileBusy(byId("look"), () => whileTold(byId("folders-said"), "Looking at every photo …", askWith("/v1/inspections", { place: wanted, anew })));
  if (!found) return;
  looked = wanted;
  haveList("");
  showFound(found, wanted);
  byId("found").hidden = false;
  byId("title-found").focus();
}

// How far the server is with looking, beside a word that says what it does, until there is an answer.
async function whileTold(where, doing, answer) {
  where.textContent = doing;
  let over = false;
  const timer = setInterval(async () => {
    const found = await ask("/v1/inspections").catch(() => ({})); // whatever it is, the answer says it
    if (found.standing && !over) where.textContent = `${doing} ${found.standing}`;
  }, WAIT_MS);
  try {
    return await answer;
  } finally {
    over = true;
    clearInterval(timer);
    where.textContent = "";
  }
}

async function writeList() {
  const found = await whileBusy(byId("write-list"), () => whileTold(byId("list-said"), "Writing …", askWith("/v1/lists", { place: looked })));
  if (!found) return;
  haveList(found.name);
  byId("list-said").textContent = `Written into the folder: ${printable(found.name)}. A run that starts below learns from it.`;
}

function haveList(name) {
  list = name;
  byId("list-said").textContent = "";
  byId("list-name").textContent = printable(name);
  byId("from-list").hidden = !name;
  byId("use-list").checked = true;
}

function showFound(found, where) {
  const { images, classes } = found;
  const aside = images.set_aside ? `, ${count(images.set_aside, "file")} cannot be used` : "";
  byId("found-said").textContent = `${count(images.used, "photo")} in ${count(classes.length, "class", "classes")}${aside}`;
  const most = Math.max(1, ...classes.map(one => one.images));
  byId("classes").replaceChildren(
    ...classes.map(one => {
      const row = element("li");
      row.append(element("span", "of", one.name), element("span", "soft", one.images.toLocaleString("en")), track(one.images / most));
      return row;
    }),
  );
  byId("findings").replaceChildren(...found.findings.map(finding => findingRow(finding, where)));
  showFiles(found);
}

function track(share) {
  const made = element("div", "track");
  const fill = element("div", "fill");
  fill.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  made.append(fill);
  return made;
}

function findingRow(finding, where) {
  const row = element("li", finding.severity);
  row.append(element("p", "kind", `${finding.severity === "warning" ? "Look at this" : "Good to know"} · ${finding.code}`));
  row.append(element("p", "", finding.sentence));
  if (finding.advice) row.append(element("p", "soft", finding.advice));
  if (finding.images.length) {
    const strip = element("ul", "strip");
    strip.append(...finding.images.slice(0, SHOWN_PHOTOS).map(name => photo(name, where)));
    row.append(strip);
    if (finding.images.length > SHOWN_PHOTOS) row.append(element("p", "soft", `and ${count(finding.images.length - SHOWN_PHOTOS, "more photo")}`));
  }
  return row;
}

function photo(name, where) {
  const item = element("li");
  const image = element("img");
  image.alt = "";
  item.append(image, element("span", "of", name));
  item.title = printable(name);
  const query = inside(where);
  query.set("name", name);
  reply(`/v1/pictures?${query}`)
    .then(found => found.blob())
    .then(blob => {
      image.addEventListener("load", () => URL.revokeObjectURL(image.src));
      image.src = URL.createObjectURL(blob);
    })
    .catch(() => image.replaceWith(element("span", "none", "no picture")));
  return item;
}

function showFiles(found) {
  const files = [
    ...found.set_aside.map(one => `${one.name}: ${one.reason}`),
    ...found.duplicates.map(one => `${one.name}: the same as ${one.same_as}`),
  ];
  byId("mend").hidden = files.length === 0;
  byId("mend").querySelector("summary").textContent = `${count(files.length, "file")} that will not be learned from`;
  const rows = files.slice(0, SHOWN_FILES).map(text => element("li", "", text));
  if (files.length > SHOWN_FILES) rows.push(element("li", "soft", `and ${(files.length - SHOWN_FILES).toLocaleString("en")} more`));
  byId("mend").querySelector("ul").replaceChildren(...rows);
}

// ---- a new run ----

function asked() {
  const depth = document.querySelector("[name=depth]:checked").value;
  const chosen = [...document.querySelectorAll("#depths :checked")].map(box => box.value);
  return {
    place: looked,
    cleaned_list: byId("use-list").checked ? list : "",
    margin: Number(byId("margin").value),
    budget_seconds: byId("budget").value ? Number(byId("budget").value) : null,
    strategies: { auto: null, none: [], chosen }[depth],
    size: byId("size").value ? Number(byId("size").value) : null,
  };
}

async function start(event) {
  event.preventDefault();
  const begun = await whileBusy(byId("start"), () => askWith("/v1/runs", asked()));
  if (begun) location.hash = `#run/${encodeURIComponent(begun.name)}`;
}

// ---- a run ----

async function showRun(name) {
  followed?.abort();
  const following = (followed = new AbortController());
  clearRun(name);
  const run = await attempt(() => ask(runPath(name), { signal: following.signal }));
  if (!run || following.signal.aborted) return;
  fillRun(run);
  await attempt(() => follow(run, following.signal));
}

function clearRun(name) {
  byId("title-run").textContent = printable(name);
  byId("phase").textContent = "Starting …";
  byId("left").textContent = "";
  byId("bar").removeAttribute("value");
  byId("copy").textContent = "Copy";
  for (const id of ["scores", "told", "answer"]) byId(id).replaceChildren();
  for (const id of ["answer", "going", "stop", "resume", "show", "try", "serve", "serving", "measured", "story", "same", "report"]) byId(id).hidden = true;
  byId("report").removeAttribute("src");
}

function fillRun(run) {
  const under_way = run.state === "running";
  byId("state").textContent = STATES[run.state];
  byId("state").className = `chip ${run.state}`;
  byId("of").textContent = [run.source && `Photos: ${run.source}`, run.begun && when(run.begun)].filter(Boolean).join(" · ");
  const sentences = run.said ? [run.said] : run.answer;
  byId("answer").replaceChildren(...sentences.map(sentence => element("p", "", sentence)));
  byId("answer").className = run.said ? "box failed" : "box";
  byId("answer").hidden = under_way || !sentences.length;
  byId("going").hidden = !under_way;
  byId("stop").hidden = !(under_way && run.is_ours);
  byId("stop").disabled = false;
  byId("resume").hidden = !["stopped", "unfinished"].includes(run.state);
  byId("show").hidden = !run.has_report;
  byId("try").hidden = byId("serve").hidden = !run.model;
  byId("try").href = `/try#model=${encodeURIComponent(run.name)}`;
  byId("command").textContent = `unfreeze serve ${run.model}`;
  byId("same").hidden = !run.command;
  byId("typed").textContent = run.command;
}

const when = seconds => new Date(1000 * seconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

// What happens in a run, from its beginning; where the connection ends before the run, from there on again.
async function follow(run, signal) {
  const seen = { phases: new Map(), begun: 0, spent: 0, last: 0 };
  let id = "0";
  while (!signal.aborted) {
    const found = await reply(runPath(run.name, "/events"), { signal, headers: { "Last-Event-ID": id } });
    for await (const message of messages(found.body)) {
      if (signal.aborted) return;
      if (message.event === "over") {
        await over(run.name, signal);
        return;
      }
      id = message.id;
      tell(JSON.parse(message.data), seen, run);
    }
    await new Promise(resolve => setTimeout(resolve, WAIT_MS));
  }
}

async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const fields = Object.fromEntries(part.split("\n").filter(line => !line.startsWith(":")).map(line => line.split(/: (.*)/s, 2)));
      if (fields.data !== undefined) yield fields;
    }
  }
}

async function over(name, signal) {
  const run = await ask(runPath(name), { signal });
  if (!signal.aborted) fillRun(run);
}

function tell(event, seen, run) {
  seen.last = event.time;
  if (event.event === "phase begun") {
    if (event.phase === 1) beginLife(event, seen);
    seen.phases.set(event.phase, { ...event, began: event.time, done: 0 });
  } else if (event.event === "phase advanced") {
    const phase = seen.phases.get(event.phase);
    if (phase) Object.assign(phase, { done: event.done, at: event.time });
  } else if (event.event === "phase ended") seen.phases.delete(event.phase);
  else if (event.event === "strategy measured") showScore(event);
  else if (event.event === "said") story(event.sentence);
  else if (event.event === "noticed") story(`${event.finding.sentence} ${event.finding.advice}`.trim());
  showPhase(seen, run);
}

// A run that goes on after a stop counts its phases anew, and the time in which nobody worked at it is not counted.
function beginLife(event, seen) {
  if (seen.begun) seen.spent += seen.lastOfLife - seen.begun;
  seen.begun = event.time;
  seen.phases.clear();
}

function story(sentence) {
  const last = byId("told").lastElementChild;
  if (last?.textContent !== printable(sentence)) byId("told").append(element("li", "", sentence));
  byId("story").hidden = false;
}

function showPhase(seen, run) {
  seen.lastOfLife = seen.last;
  const phase = [...seen.phases.values()].pop();
  const words = phase ? `${capital(printable(phase.name))}${phase.total ? `: ${count(phase.total, phase.unit)}` : ""}` : "Between two steps …";
  if (byId("phase").textContent !== words) byId("phase").textContent = words;
  if (phase?.total) {
    byId("bar").max = phase.total;
    byId("bar").value = phase.done;
  } else byId("bar").removeAttribute("value");
  byId("left").textContent = timeLeft(phase, seen, run);
}

const capital = words => words.slice(0, 1).toUpperCase() + words.slice(1);

function timeLeft(phase, seen, run) {
  const parts = [];
  if (phase?.total && phase.done) parts.push(`This step: about ${span(((phase.at - phase.began) / phase.done) * (phase.total - phase.done))} left`);
  if (run.budget_seconds && seen.begun) {
    const left = run.budget_seconds - seen.spent - (seen.last - seen.begun);
    parts.push(left > 0 ? `The whole run: at most ${span(left)} left` : "Its time is up: it concludes");
  }
  return parts.join(" · ");
}

function span(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function showScore(event) {
  if (event.score === null) return;
  const body = byId("scores");
  let row = [...body.rows].find(one => one.dataset.strategy === event.strategy);
  if (!row) {
    row = body.insertRow();
    row.dataset.strategy = event.strategy;
    row.append(element("td"), element("td"), element("td"));
  }
  const nats = event.metric === "log-loss";
  row.cells[0].textContent = printable(event.plain);
  row.cells[1].replaceChildren(element("span", "", nats ? `${event.score.toFixed(3)} nats` : `${(100 * event.score).toFixed(1)} %`), ...(nats ? [] : [track(event.score)]));
  row.cells[2].textContent = String(event.splits);
  [...body.rows].forEach(one => one.classList.toggle("new", one === row));
  byId("measured").hidden = false;
}

async function stop() {
  const name = shownRun();
  if (await whileBusy(byId("stop"), () => ask(runPath(name, "/stop"), { method: "POST" }))) {
    byId("stop").disabled = true;
    byId("state").textContent = "stopping after this step";
  }
}

async function resume() {
  const name = shownRun();
  if (await whileBusy(byId("resume"), () => ask(runPath(name, "/resume"), { method: "POST" }))) showRun(name);
}

async function showReport() {
  const found = await whileBusy(byId("show"), () => ask(runPath(shownRun(), "/report"), { method: "POST" }));
  if (!found) return;
  byId("report").src = found.address;
  byId("report").hidden = false;
  byId("report").scrollIntoView({ block: "start" });
}

async function copy() {
  await navigator.clipboard.writeText(byId("command").textContent);
  byId("copy").textContent = "Copied";
}

// ---- all runs ----

async function showRuns() {
  byId("runs-said").textContent = "Reading …";
  const found = await attempt(() => ask("/v1/runs"));
  byId("runs-said").textContent = found?.runs.length === 0 ? "There are none yet." : "";
  byId("runs").replaceChildren(...(found?.runs ?? []).map(runRow));
}

function runRow(run) {
  const row = element("li");
  const head = element("div", "row");
  const link = element("a", "", run.name);
  link.href = `#run/${encodeURIComponent(run.name)}`;
  head.append(link, element("span", `chip ${run.state}`, STATES[run.state]), element("span", "when", run.begun ? when(run.begun) : ""));
  row.append(head);
  const sentence = run.said || run.answer[0] || (run.source && `Photos: ${run.source}`);
  if (run.picked) row.append(element("p", "soft", `${run.picked}, ${run.score}`));
  if (sentence) row.append(element("p", "", sentence));
  return row;
}

// ---- two runs ----

async function showCompare() {
  const found = await attempt(() => ask("/v1/runs"));
  const names = (found?.runs ?? []).filter(run => run.state === "finished").map(run => run.name);
  for (const id of ["first", "second"]) byId(id).replaceChildren(...names.map(name => new Option(name, name)));
  if (names.length > 1) [byId("first").value, byId("second").value] = [names[1], names[0]];
  else alarm("Two finished runs are wanted here; start some more.");
  byId("compared").hidden = true;
}

async function compare(event) {
  event.preventDefault();
  const query = new URLSearchParams({ first: byId("first").value, second: byId("second").value });
  const found = await attempt(() => ask(`/v1/comparison?${query}`));
  if (!found) return;
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const word of ["Run", "Network", "What was picked", "Score"]) {
    const cell = element("th", "", word);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const one of found.rows) body.insertRow().append(...[one.run, one.network, one.picked, one.score].map(text => element("td", "", text)));
  const scroll = element("div", "scroll");
  scroll.tabIndex = 0;
  scroll.append(table);
  byId("compared").replaceChildren(element("p", "big", found.verdict), scroll, element("p", "soft", found.basis));
  byId("compared").hidden = false;
}

// ---- views ----

const shownRun = () => decodeURIComponent(location.hash.split("/")[1] ?? "");

function route({ first = false } = {}) {
  const [view] = location.hash.slice(1).split("/");
  const known = ["new", "run", "runs", "compare"].includes(view) ? view : "new";
  followed?.abort();
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== `view-${known}`;
  for (const link of document.querySelectorAll("nav a")) {
    const on = link.hash === (known === "run" ? "#runs" : `#${known}`);
    if (on) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  alarm("");
  if (!first) byId(`title-${known}`).focus();
  const show = { new: () => openFolder(place), run: () => showRun(shownRun()), runs: showRuns, compare: showCompare };
  return show[known]();
}

function begin() {
  takeToken();
  keepToken();
  addEventListener("hashchange", () => route());
  byId("token-form").addEventListener("submit", event => {
    event.preventDefault();
    useToken(byId("token").value.trim());
    keepToken();
    byId("token-form").hidden = true;
    route();
  });
  byId("skip").addEventListener("click", event => {
    event.preventDefault();
    byId("main").focus();
  });
  byId("look").addEventListener("click", () => look());
  byId("again").addEventListener("click", () => look({ anew: true }));
  byId("write-list").addEventListener("click", writeList);
  byId("ask").addEventListener("submit", start);
  byId("depths").addEventListener("change", () => (document.querySelector("[value=chosen]").checked = true));
  byId("stop").addEventListener("click", stop);
  byId("resume").addEventListener("click", resume);
  byId("show").addEventListener("click", showReport);
  byId("serve").addEventListener("click", () => {
    byId("serving").hidden = !byId("serving").hidden;
    byId("serve").setAttribute("aria-expanded", String(!byId("serving").hidden));
  });
  byId("copy").addEventListener("click", () => attempt(copy));
  byId("pair").addEventListener("submit", compare);
  route({ first: true });
}

begin();
