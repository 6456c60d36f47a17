// Mouse, touch and keys.

function under(event) {
  const box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left - view.x) / view.scale, y = (event.clientY - box.top - view.y) / view.scale;
  const inside = (one, deep = one[3]) => x >= one[0] && x <= one[0] + one[2] && y >= one[1] && y <= one[1] + deep;
  for (let node = 0; node < nodes.length; node++) if (boxes[node] && inside(boxes[node])) return { thing: node };
  for (let group = groups.length - 1; group > 0; group--) {
    if (!frames[group]) continue;
    if (!isOpen[group] && inside(frames[group])) return { thing: -1 - group };
    if (isOpen[group] && inside(frames[group], C.HEADER)) return { thing: -1 - group, header: true };
  }
  return { thing: null };
}

const pointers = new Map();
let moved = 0, spread = 0;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  moved = 0;
  spread = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId);
  if (!last) { hover(event); return; }
  const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  moved += Math.abs(dx) + Math.abs(dy);
  if (pointers.size === 2) {
    const [a, b] = [...pointers.values()], apart = Math.hypot(a[0] - b[0], a[1] - b[1]), box = canvas.getBoundingClientRect();
    if (spread) zoom(apart / spread, (a[0] + b[0]) / 2 - box.left, (a[1] + b[1]) / 2 - box.top);
    spread = apart;
  } else if (moved > 4) {
    canvas.classList.add("moving");
    view.x += dx; view.y += dy;
    redraw();
  }
});
const release = (event) => {
  const clicked = pointers.has(event.pointerId) && moved <= 4 && event.type === "pointerup";
  pointers.delete(event.pointerId);
  canvas.classList.remove("moving");
  if (clicked) click(event);
};
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);

function click(event) {
  const { thing, header } = under(event);
  $("found").hidden = true;
  if (header) { setOpen([[-1 - thing, false]], thing); choose(thing); }
  else choose(thing);
}
canvas.addEventListener("dblclick", (event) => {
  const { thing, header } = under(event);
  if (thing !== null && thing < 0 && !header) { setOpen([[-1 - thing, true]], thing); panel(); }
});

function hover(event) {
  const { thing } = under(event), hint = $("hint");
  canvas.classList.toggle("over", thing !== null);
  if (thing !== hovered) {
    hovered = thing;
    hint.hidden = thing === null;
    if (thing !== null) hint.textContent = thing >= 0 ? show(`${nodes[thing].id}  ${nodes[thing].kind}`) : `${show(groups[-1 - thing].title) || "repeated blocks"}: ${isOpen[-1 - thing] ? "click to collapse" : "double click to expand"}`;
  }
  const box = canvas.getBoundingClientRect();
  hint.style.left = `${Math.min(event.clientX - box.left + 14, box.width - 200)}px`;
  hint.style.top = `${event.clientY - box.top + 16}px`;
}
canvas.addEventListener("pointerleave", () => { $("hint").hidden = true; hovered = null; });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = canvas.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });

const all = (value) => setOpen(groups.map((_, index) => [index, value]));
function theme() {
  const root = document.documentElement;
  root.dataset.theme = ink.dark ? "light" : "dark";
  readInk(); drawMap(); panel(); redraw();
}
$("collapse").addEventListener("click", () => { all(false); fit(); });
$("expand").addEventListener("click", () => { all(true); fit(); });
$("fit").addEventListener("click", fit);
$("theme").addEventListener("click", theme);
$("colour").addEventListener("change", (event) => { colour = event.target.value; drawMap(); redraw(); });
window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, select")) return;
  const { width, height } = canvas.getBoundingClientRect(), step = 80;
  const move = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
  if (move) { view.x += move[0]; view.y += move[1]; redraw(); }
  else if (event.key === "/") { $("search").focus(); $("search").select(); event.preventDefault(); }
  else if (event.key === "f") fit();
  else if (event.key === "t") theme();
  else if (event.key === "+" || event.key === "=") zoom(1.25, width / 2, height / 2);
  else if (event.key === "-") zoom(0.8, width / 2, height / 2);
  else if (event.key === "Escape") { matches = null; choose(null); }
  else if (event.key === "Enter" && chosen !== null && chosen < 0) { setOpen([[-1 - chosen, !isOpen[-1 - chosen]]], chosen); panel(); }
  else return;
  if (move) event.preventDefault();
});
document.addEventListener("pointerdown", (event) => { if (!$("find").contains(event.target)) $("found").hidden = true; });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readInk(); drawMap(); panel(); redraw(); });
new ResizeObserver(redraw).observe(canvas);
