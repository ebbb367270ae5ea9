"use strict";
// What joins the pieces of a page: tables that wake up when they come into view, the viewer that moves to the map in
// use, copying, and the place in the contents.

const page = {
  tables: new Map(), // key -> DataTable
  views: JSON.parse(document.getElementById("views").textContent),
  viewer: null,
};

const noRegions = () => ({ colours: new Map(), names: new Map(), peaks: new Map(), first: null });

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

/** Take a part of the page over: its tables, its buttons. */
page.take = (part) => {
  for (const element of part.querySelectorAll(".table")) {
    page.tables.set(element.id, new DataTable(element, page.onChosen));
    element.querySelector(".tools").hidden = false; // its place is kept, so that nothing jumps when it wakes
    page.tableSeen.observe(element);
  }
  for (const place of part.querySelectorAll(".viewer-place")) {
    const button = place.querySelector(".explore");
    button.hidden = false;
    button.addEventListener("click", async () => {
      await page.show(place.dataset.view);
      page.viewer.planes[0].canvas.focus();
    });
  }
  if (typeof startCohort === "function") startCohort(part);
};

/** On pages of very many maps a section's content is kept as text until it is needed; without scripts it just shows. */
page.fill = (section) => {
  const kept = section.querySelector("noscript.later");
  if (!kept) return;
  kept.replaceWith(...new DOMParser().parseFromString(kept.textContent, "text/html").body.childNodes);
  page.take(section);
};

/** Sections near the view are filled at once, all others one by one while nothing else is to do. */
page.startFilling = () => {
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
  if (waiting.length) later(work);
  window.addEventListener("beforeprint", () => waiting.splice(0).forEach(page.fill));
};

/** A row was chosen: show its map in the viewer, with the crosshair on its peak. */
page.onChosen = async (table, mm) => {
  const now = page.viewer.view;
  const view = now?.table === table.element.id ? now : page.views.find((candidate) => candidate.table === table.element.id);
  await page.show(view.key, mm);
  const frame = page.viewer.element.getBoundingClientRect();
  if (frame.bottom < 80 || frame.top > window.innerHeight - 80) page.viewer.element.scrollIntoView({ block: "nearest" });
};

/** Bring the viewer to the map it shows, then show it. */
page.show = async (key, mm = null) => {
  const view = page.views.find((candidate) => candidate.key === key);
  const section = document.getElementById(view.section);
  page.fill(section);
  const place = section.querySelector(".viewer-place");
  const { element } = page.viewer;
  if (element.parentElement !== place) {
    for (const button of document.querySelectorAll(".explore")) button.hidden = false;
    place.querySelector(".explore").hidden = true;
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    place.append(element);
    focused?.focus({ preventScroll: false });
  }
  element.hidden = false;
  await page.viewer.show(key, mm);
};

page.startViewer = () => {
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
  page.viewer = new Viewer(element, page.views, {
    regionsOf: (view) => page.tables.get(view.table)?.regions() ?? noRegions(),
    moved: (view, region) => {
      for (const [key, table] of page.tables) if (table.list) table.mark(key === view.table ? region : 0);
    },
  });
  select.addEventListener("change", () => page.show(select.value));
  const best = page.views.find((view) => view.table) ?? page.views[0];
  page.show(best.key);
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

/** The contents show where one is, and can be searched where there are many maps. */
page.startContents = () => {
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

page.take(document);
page.startCopying();
page.startContents();
page.startViewer();
page.startFilling();
