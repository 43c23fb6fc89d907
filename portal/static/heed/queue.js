// Working the queue without a mouse: j and k go down and up, x ticks, Enter or o opens, / searches.
(() => {
  "use strict";
  const rows = () => [...document.querySelectorAll("#result_list tbody tr")];
  let at = -1;

  const go = (to) => {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(to, all.length - 1));
    all.forEach((row, number) => row.classList.toggle("row--at", number === at));
    const link = all[at].querySelector("th a, td a");
    if (link) link.focus({ preventScroll: true });
    all[at].scrollIntoView({ block: "nearest" });
  };

  const deeds = {
    j: () => go(at + 1),
    k: () => go(at - 1),
    x: () => rows()[at]?.querySelector("input.action-select")?.click(),
    o: () => rows()[at]?.querySelector("th a, td a")?.click(),
    "/": () => document.querySelector("#searchbar")?.focus(),
  };

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !deeds[event.key]) return;
    event.preventDefault();
    deeds[event.key]();
  });
})();
