// Search by name and kind.

let at = 0, hits = [];
function search() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), list = $("found");
  list.replaceChildren();
  list.hidden = !words.length;
  if (!words.length) { matches = null; hits = []; redraw(); return; }
  hits = [];
  for (let one = 0; one < nodes.length; one++) {
    const text = `${nodes[one].id} ${nodes[one].kind}`.toLowerCase();
    if (words.every((word) => text.includes(word))) hits.push(one);
  }
  matches = new Set(hits);
  at = 0;
  hits.slice(0, 60).forEach((one, index) => {
    const item = element("li");
    item.setAttribute("role", "option");
    item.append(element("span", show(nodes[one].id)), element("span", show(nodes[one].kind)));
    item.addEventListener("click", () => go(index));
    list.append(item);
  });
  if (hits.length > 60) list.append(element("li", `and ${number(hits.length - 60)} more`, "none"));
  if (!hits.length) list.append(element("li", "Nothing found", "none"));
  mark();
  redraw();
}

function mark() {
  [...$("found").children].forEach((item, index) => item.classList.toggle("at", index === at && hits.length > 0));
  $("found").children[at]?.scrollIntoView({ block: "nearest" });
}

function go(index) {
  at = index;
  const one = hits[index];
  if (one === undefined) return;
  matches = null;
  $("found").hidden = true;
  reveal(one);
  choose(one);
  centre(one, 0.9);
}

$("search").addEventListener("input", search);
$("search").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) { at = Math.min(Math.max(at + step, 0), Math.min(hits.length, 60) - 1); mark(); event.preventDefault(); }
  else if (event.key === "Enter") go(at);
  else if (event.key === "Escape") { $("search").value = ""; search(); canvas.focus(); }
  event.stopPropagation();
});
