"use strict";
// The page reads the same without this: it only adds the filter and the buttons to copy.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

for (const box of all(".code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the command");
  button.addEventListener("click", async () => {
    const text = box.querySelector("pre").textContent.trim();
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  box.classList.add("can");
  box.append(button);
}

const form = document.querySelector(".filter");
const items = all("[data-hosts]").map((element) => ({
  element,
  hosts: element.dataset.hosts.toLowerCase(),
  modules: element.dataset.modules.split(" "),
  severities: element.dataset.severities.split(" "),
  row: element.tagName === "TR",
}));

function apply() {
  const data = new FormData(form);
  const host = String(data.get("host")).trim().toLowerCase();
  const module = String(data.get("module"));
  const wanted = data.getAll("severity");
  const every = wanted.length === all("[name=severity]", form).length;
  let rows = 0;
  let shown = 0;
  for (const item of items) {
    const fits = item.hosts.includes(host)
      && (!module || item.modules.includes(module))
      && (every || item.severities.some((severity) => wanted.includes(severity)));
    item.element.hidden = !fits;
    if (item.row) {
      rows += 1;
      shown += fits ? 1 : 0;
    }
  }
  for (const section of all("[data-list]")) {
    const left = all("[data-hosts]", section).some((element) => !element.hidden);
    section.querySelector(".nothing").hidden = left;
  }
  form.querySelector("output").textContent = `${shown} of ${rows} hosts`;
}

form.hidden = false;
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(apply));
apply();
