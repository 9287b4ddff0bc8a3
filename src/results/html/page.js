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
bar.hidden = false;
filter();
