"use strict";
// The page reads the same without this: it only adds the filter, and buttons to copy.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function added(parent, tag, text, label, kind) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (tag === "button") element.type = "button";
  if (label) element.setAttribute("aria-label", label);
  element.className = kind;
  parent.append(element);
  return element;
}

// What was done is said aloud, and shown for a while.
const said = added(document.body, "output", "", "", "said");
let silence;

function say(text) {
  said.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, 2500);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const area = added(document.body, "textarea", text, "", "");
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused.focus();
    return done;
  }
}

const addressOf = (id) => `${location.href.split("#")[0]}#${id}`;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy, button.link");
  if (!button) return;
  const link = button.classList.contains("link");
  const text = link
    ? addressOf(button.closest("[id]").id)
    : button.parentElement.querySelector("pre").textContent.trim();
  const done = await copied(text);
  say(done ? `${link ? "Link" : "Command"} copied.` : "The browser does not let this page copy.");
});

// A part gets its buttons when it comes near the view: a page may have thousands of them.
function furnish(part) {
  if (part.tagName === "TR") {
    const cell = part.firstElementChild;
    added(cell, "button", "#", `Copy the link to ${cell.textContent}`, "link");
  } else if (part.id) {
    const title = part.querySelector("h3").textContent;
    added(part.querySelector(".head"), "button", "Copy link", `Copy the link to ${title}`, "link");
  }
  for (const box of all(".code", part)) {
    box.classList.add("can");
    added(box, "button", "Copy", "Copy the command", "copy");
  }
}

const near = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    near.unobserve(entry.target);
    furnish(entry.target);
  }
}, { rootMargin: "800px" });

const tools = document.querySelector(".tools");
const form = document.querySelector(".filter");
const counter = tools.querySelector("output");
const filtered = added(tools.parentElement, "p", "", "", "filtered");
tools.after(filtered);
const unfold = tools.querySelector(".unfold");
const boxes = all("[name=severity]", form);
// What is not known of an item fits any choice.
const items = all(".matrix tbody tr, [data-hosts]").map((element) => {
  const row = element.tagName === "TR";
  const { hosts, modules, severities } = element.dataset;
  return {
    element,
    row,
    hosts: (row ? element.firstElementChild.textContent : hosts).toLowerCase(),
    modules: modules === undefined ? null : modules.split(" "),
    severities: severities === undefined ? null : severities.split(" "),
  };
});
const lists = all("[data-list]").filter((list) => list.querySelector(".nothing"));
for (const list of lists) {
  const inside = new Set(all("[data-hosts], tbody tr", list));
  list.items = items.filter((item) => inside.has(item.element));
}

function apply() {
  const data = new FormData(form);
  const host = String(data.get("host")).trim().toLowerCase();
  const module = String(data.get("module"));
  const wanted = data.getAll("severity");
  const every = wanted.length === boxes.length;
  let rows = 0;
  let shown = 0;
  for (const item of items) {
    const fits = item.hosts.includes(host)
      && (!module || !item.modules || item.modules.includes(module))
      && (every || !item.severities || item.severities.some((each) => wanted.includes(each)));
    if (item.element.hidden === fits) item.element.hidden = !fits;
    if (item.row) {
      rows += 1;
      shown += fits ? 1 : 0;
    }
  }
  for (const list of lists) {
    list.querySelector(".nothing").hidden = list.items.length === 0
      || list.items.some((item) => !item.element.hidden);
  }
  counter.textContent = `${shown} of ${rows} hosts`;
  const free = !host && !module && every;
  filtered.textContent = free ? "" : `Filtered: ${shown} of ${rows} hosts are shown.`;
}

// Where a link leads is shown, whatever the filter says.
function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target || !target.hidden) return;
  form.reset();
  apply();
  target.scrollIntoView();
}

form.hidden = false;
unfold.hidden = false;
unfold.addEventListener("click", () => {
  const open = tools.classList.toggle("open");
  unfold.setAttribute("aria-expanded", String(open));
});
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(apply));
window.addEventListener("hashchange", reveal);
window.addEventListener("beforeprint", () => all("details:not([open])").forEach((each) => {
  each.open = true;
  each.dataset.closed = "";
}));
window.addEventListener("afterprint", () => all("details[data-closed]").forEach((each) => {
  each.open = false;
  delete each.dataset.closed;
}));
apply();
for (const part of all(".card, .matrix tbody tr")) near.observe(part);
