"use strict";
// What joins the pieces of a page: tables that wake up when they come into view, the viewer that moves to the map in
// use, copying, and the place in the contents.

const page = {
  tables: new Map(), // key -> DataTable
  views: JSON.parse(document.getElementById("views").textContent),
  viewer: null,
};

const noRegions = () => ({ colours: new Map(), names: new Map(), atlas: new Map(), peaks: new Map(), list: [], first: null });

/** Tables that come into view wake up. */
page.tableSeen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      page.tableSeen.unobserve(target);
      page.tables.get(target.id).ready();
    }
  },
  { rootMargin: "600px" },
);

/** For a table of regions on sheets: the row at which a side begins. */
page.rowsOf = (key) => {
  const sheets = page.views.find((view) => view.table === key && view.sheets?.length)?.sheets;
  if (!sheets) return null;
  return (side) => {
    let first = 0;
    for (const id of sheets) {
      const header = payload.header(id);
      if (header.side === side) return first;
      first += header.size;
    }
    return null;
  };
};

page.viewOfTable = (key) => page.views.find((view) => view.table === key);

/** Take a part of the page over: its tables, its tabs, its buttons. */
page.take = (part) => {
  for (const element of part.querySelectorAll(".table")) {
    const sentenceOf = (table, region, peak) => regionSentence(region, peak, page.viewOfTable(table.element.id) ?? {});
    const table = new DataTable(element, { chosen: page.onChosen, sentenceOf });
    table.firstRow = page.rowsOf(element.id);
    page.tables.set(element.id, table);
    element.querySelector(".tools").hidden = false; // its place is kept, so that nothing jumps when it wakes
    page.tableSeen.observe(element);
  }
  for (const place of part.querySelectorAll(".viewer-place")) {
    const button = place.querySelector(".explore");
    if (!button) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await page.show(place.dataset.view);
      page.viewer.displays[0].canvases[0].focus();
    });
    page.placeSeen.observe(place);
  }
  for (const tabs of part.querySelectorAll(".tabs")) page.startTabs(tabs);
  if (typeof startCohort === "function") startCohort(part);
};

// -------------------------------------------------------------------- entries of a map as tabs

page.startTabs = (tabs) => {
  tabs.hidden = false;
  const all = [...tabs.querySelectorAll("[role=tab]")];
  page.openTab(all[0]);
  for (const tab of all) tab.addEventListener("click", () => page.chooseTab(tab));
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    page.chooseTab(next);
  });
};

page.chooseTab = (tab) => {
  page.openTab(tab);
  if (tab.dataset.view) page.show(tab.dataset.view);
};

page.openTab = (tab) => {
  for (const other of tab.parentElement.children) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).classList.toggle("away", !chosen);
  }
  page.tellOf(tab);
};

/** Of a lead with a line for each entry the one of the chosen entry stays where there is no room for all. */
page.tellOf = (tab) => {
  const lead = tab.closest(".map").querySelector(".lead[data-entries]");
  if (!lead) return;
  const chosen = [...tab.parentElement.children].indexOf(tab);
  [...lead.children].slice(0, Number(lead.dataset.entries)).forEach((line, at) => line.classList.toggle("other", at !== chosen));
};

/** On pages of very many maps a section's content is kept as text until it is needed; without scripts it just shows. */
page.fill = (section) => {
  const kept = section.querySelector("noscript.later");
  if (!kept) return;
  kept.replaceWith(...new DOMParser().parseFromString(kept.textContent, "text/html").body.childNodes);
  page.take(section);
};

/** Sections near the view are filled at once, all others one by one when the viewer is there and nothing else is to do. */
page.startFilling = async (viewer) => {
  const waiting = [...document.querySelectorAll("noscript.later")].map((kept) => kept.closest("article"));
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) page.fill(target);
    },
    { rootMargin: "1000px" },
  );
  for (const section of waiting) near.observe(section);
  const later = window.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 8 }), 20));
  const work = (deadline) => {
    while (waiting.length && deadline.timeRemaining() > 4) page.fill(waiting.shift());
    if (waiting.length) later(work);
    else near.disconnect();
  };
  window.addEventListener("beforeprint", () => waiting.splice(0).forEach(page.fill));
  await viewer;
  if (waiting.length) later(work);
};

// -------------------------------------------------------------------- the viewer's place

/** A row was chosen: show its place in its map, with the row and the slices in view together. */
page.onChosen = async (table, entry) => {
  const target = table.targetOf(entry.line);
  const now = page.viewer?.view;
  const own = page.views.filter((one) => one.table === target.table);
  const onSheet = table.sheetPlace(entry.line, entry.peak) !== null;
  const fits = (one) => one && (own.length < 2 || !own.some((other) => other.sheets?.length) || (one.sheets?.length > 0) === onSheet);
  const view = now?.table === target.table && fits(now) ? now : own.find(fits) ?? own[0];
  if (!view) return;
  const mm = table.placeOf(entry.line, entry.peak) ?? (await page.placeOfRegion(target));
  if (!mm) return;
  await page.show(view.key, mm, table.element);
  page.bring(table, entry);
  page.remember();
};

page.placeOfRegion = async ({ table, region }) => {
  const regions = page.tables.get(table);
  await regions?.ready();
  const line = regions?.lineOfRegion(region) ?? -1;
  return line < 0 ? null : regions.placeOf(line);
};

/** Scroll so that a row and the slices are both in view: the viewer at the top of the window, the row below it. */
page.bring = (table, entry) => {
  table.reveal(entry.at);
  const row = table.rowAt(entry.at);
  const { element } = page.viewer;
  const seen = () => {
    const [viewer, line] = [element.getBoundingClientRect(), row.getBoundingClientRect()];
    return { viewer, line, over: viewer.bottom - line.top, under: line.bottom - window.innerHeight };
  };
  if (!row) return;
  let { viewer, over, under } = seen();
  const apart = element.parentElement.nextElementSibling !== table.element && !element.closest(".workbench")?.contains(table.element);
  if (!apart && viewer.top >= 0 && over <= 0 && under <= 0) return;
  const dock = element.closest(".workbench").querySelector(".dock-top");
  window.scrollBy(0, dock.getBoundingClientRect().top);
  ({ over, under } = seen());
  if (under > 0) window.scrollBy(0, under + 8);
  ({ over } = seen());
  if (over > 0) window.scrollBy(0, -over);
};

/** What the keyboard reaches in a table never lies under the viewer above it: now, and when the browser has scrolled. */
page.keepClear = ({ target }) => {
  const look = (frames) => {
    if (target !== document.activeElement) return;
    page.uncover(target);
    if (frames && target.matches(":focus-visible")) requestAnimationFrame(() => look(frames - 1));
  };
  look(20); // a browser scrolls to a focus when it comes to it, and the viewer may grow by what it reads out
};

page.uncover = (target) => {
  const { element } = page.viewer ?? {};
  if (!element || element.hidden || element.contains(target) || !element.closest(".workbench")?.contains(target)) return;
  const over = element.getBoundingClientRect().bottom - target.getBoundingClientRect().top;
  const above = element.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (above && over > 0 && target.getBoundingClientRect().height < window.innerHeight / 2) window.scrollBy(0, -over - 4);
};

/** Bring the viewer to the map it shows, beside the table in use, then show it. */
page.show = async (key, mm = null, table = null) => {
  const view = page.views.find((candidate) => candidate.key === key);
  const section = document.getElementById(view.section);
  page.fill(section);
  const own = table?.closest(".workbench")?.querySelector(".viewer-place");
  page.dock(own ?? section.querySelector(".viewer-place"));
  const tab = section.querySelector(`[role=tab][data-panel="${view.panel}"]`);
  if (tab) page.openTab(tab);
  page.viewer.element.hidden = false;
  await page.viewer.show(key, mm);
};

page.dock = (place) => {
  const { element } = page.viewer;
  if (element.parentElement === place) return;
  for (const button of document.querySelectorAll(".explore")) button.hidden = false;
  const button = place.querySelector(".explore");
  if (button) button.hidden = true;
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  place.append(element);
  focused?.focus({ preventScroll: true });
};

/** The viewer follows the reader: where its map has left the window, it goes to the one that has come. */
page.placeSeen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.classList.toggle("seen", isIntersecting);
  clearTimeout(page.following);
  page.following = setTimeout(page.follow, 200);
});

page.follow = () => {
  const now = page.viewer?.element.parentElement;
  if (!now || page.viewer.element.contains(document.activeElement)) return;
  const frame = page.viewer.element.getBoundingClientRect();
  if (frame.bottom > 0 && frame.top < window.innerHeight) return;
  const next = document.querySelector(".viewer-place.seen");
  if (next && next !== now) page.show(next.dataset.view);
};

/** How high the viewer is, for the tables below it. */
page.measureViewer = () => {
  const height = page.viewer.element.offsetHeight;
  if (height) document.documentElement.style.setProperty("--viewer-height", `${height}px`);
};

// -------------------------------------------------------------------- links to a place

/** The place that is shown, as the end of an address: #map/entry/region/x,y,z. */
page.place = () => {
  const { view, region, cursor } = page.viewer;
  const mm = cursor.map((value) => Math.round(value * 100) / 100).join(",");
  return `#${encodeURIComponent(view.section)}/${encodeURIComponent(view.entry)}/${region}/${mm}`;
};

page.remember = () => {
  try {
    history.replaceState(null, "", page.place());
  } catch {
    // a page inside another one may not; the link button works all the same
  }
};

/** Open the place that an address names; true where it names one. */
page.openPlace = async () => {
  const [section, entry, region, mm] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (mm === undefined) return false;
  const own = page.views.filter((view) => view.section === section);
  const view = own.find((candidate) => candidate.entry === entry) ?? own[0];
  const place = mm.split(",").map(Number);
  if (!view || place.length !== 3 || !place.every(Number.isFinite)) return false;
  await page.show(view.key, place);
  const table = page.tables.get(view.table);
  await table?.ready();
  const line = table?.lineOfRegion(region) ?? -1;
  if (line >= 0) page.bring(table, { at: table.list.indexOf(line) });
  else page.viewer.element.scrollIntoView({ block: "start" });
  return true;
};

page.startViewer = async () => {
  const element = document.getElementById("viewer");
  if (!element || page.views.length === 0) return;
  const select = element.querySelector("select");
  const families = new Map();
  for (const view of page.views) {
    if (!families.has(view.section)) {
      const family = document.createElement("optgroup");
      family.label = view.group;
      families.set(view.section, family);
      select.append(family);
    }
    families.get(view.section).append(new Option(view.name, view.key));
  }
  select.closest("label").hidden = page.views.length < 2;
  page.viewer = new Viewer(element, page.views, {
    regionsOf: (view) => page.tables.get(view.table)?.regions() ?? noRegions(),
    moved: (view, region) => {
      for (const [key, table] of page.tables) if (table.list && !table.element.dataset.shows) table.mark(key === view.table ? region : 0);
    },
    stepped: (direction) => page.tables.get(page.viewer.view.table)?.step(direction),
  });
  select.addEventListener("change", () => page.show(select.value));
  element.querySelector('[data-part="link"]').addEventListener("click", async (event) => {
    page.remember();
    const button = event.currentTarget;
    const done = await copyText(`${location.href.split("#")[0]}${page.place()}`);
    button.textContent = done ? "Copied" : "Not allowed here";
    setTimeout(() => (button.textContent = "Link"), 1500);
  });
  new ResizeObserver(page.measureViewer).observe(element);
  document.addEventListener("focusin", page.keepClear);
  window.addEventListener("hashchange", page.openPlace);
  if (await page.openPlace()) return;
  const best = page.views.find((view) => view.table) ?? page.views[0];
  await page.show(best.key);
};

/** A way for the keyboard: from the top of the page to the row in use of the first table of regions. */
page.startSkipping = () => {
  const skip = document.querySelector(".to-table");
  if (!skip) return;
  skip.hidden = false;
  skip.addEventListener("click", async () => {
    const key = page.viewer.view?.table || page.views.find((view) => view.table)?.table;
    const table = page.tables.get(key);
    await table.ready();
    table.goToRow(table.active);
  });
};

page.startCopying = () => {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const words = button.textContent;
      const done = await copyText(document.getElementById(button.dataset.copies).innerText.trim());
      button.textContent = done ? "Copied" : "Copying is not allowed here";
      setTimeout(() => (button.textContent = words), 1500);
    });
  }
};

/** A link of the contents that the keyboard comes to is whole, where the contents are a strip that scrolls. */
page.keepWhole = (event) => {
  if (event.target.closest(".contents")) event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
};

/** The contents show where one is, and can be searched where there are many maps. */
page.startContents = () => {
  document.addEventListener("focusin", page.keepWhole);
  const links = [...document.querySelectorAll('.contents a[href^="#"]')];
  const byTarget = new Map(links.map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const here = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        for (const link of links) link.removeAttribute("aria-current");
        byTarget.get(target.id).setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-15% 0px -75% 0px" },
  );
  for (const key of byTarget.keys()) {
    const target = document.getElementById(key);
    if (target) here.observe(target);
  }
  const maps = [...document.querySelectorAll(".contents .maps li")];
  if (maps.length <= 12) return;
  const search = make("input", { type: "search", placeholder: "Find a map", autocomplete: "off" });
  search.setAttribute("aria-label", "Find a map in the contents");
  search.addEventListener("input", () => {
    const needle = search.value.trim().toLowerCase();
    for (const item of maps) item.hidden = !`${item.closest("ul").previousElementSibling.textContent} ${item.textContent}`.toLowerCase().includes(needle);
    for (const list of document.querySelectorAll(".contents .maps")) {
      const none = [...list.children].every((item) => item.hidden);
      Object.assign(list, { hidden: none }).previousElementSibling.hidden = none; // its heading
    }
  });
  document.querySelector(".contents .brand").after(search);
};

window.addEventListener("beforeprint", () => {
  for (const picture of document.images) picture.loading = "eager";
  for (const fold of document.querySelectorAll("details:not([open])")) Object.assign(fold, { open: true }).dataset.printed = "";
});
window.addEventListener("afterprint", () => {
  for (const fold of document.querySelectorAll("details[data-printed]")) {
    fold.open = false;
    delete fold.dataset.printed;
  }
});

document.documentElement.classList.add("scripted");
for (const overview of document.querySelectorAll("details.overview")) overview.open = false;
page.take(document);
page.startCopying();
page.startSkipping();
page.startContents();
page.startFilling(page.startViewer());
