"use strict";
const bar = document.getElementById("bar");
const text = document.getElementById("filter");
const failed = document.getElementById("only-failed");
const shown = document.getElementById("shown");
const items = Array.from(document.querySelectorAll("[data-test]"));
const rows = items.filter((item) => item.tagName === "TR");
function filter() {
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of items) {
    const name = item.dataset.test.toLowerCase();
    item.hidden = (failed.checked && item.dataset.outcome !== "failed") ||
      !words.every((word) => name.includes(word));
  }
  shown.textContent = rows.filter((row) => !row.hidden).length + " of " + rows.length + " tests";
}
text.addEventListener("input", filter);
failed.addEventListener("change", filter);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== text) { event.preventDefault(); text.focus(); }
  if (event.key === "Escape" && document.activeElement === text) { text.value = ""; filter(); }
});
// A link such as report.html#filter=sig-storage opens the page with the words filled in.
function asked() {
  text.value = new URLSearchParams(location.hash.slice(1)).get("filter") || text.value;
  filter();
}
window.addEventListener("hashchange", asked);
bar.hidden = false;
asked();
