// What is open, chosen and seen, and how that changes.

const isOpen = groups.map((group) => group.open);
isOpen[0] = true;

const view = { x: 0, y: 0, scale: 1 };
let chosen = null, hovered = null, matches = null, colour = "kind", ink = {}, queued = false;

let sources = new Set();

function setOpen(changes, anchor) {
  // Open or close groups; what `anchor` names stays where it is on the screen.
  const before = anchor === undefined ? null : boxOf(anchor);
  const touched = new Set();
  for (const [number, value] of changes) {
    if (number === 0 || isOpen[number] === value) continue;
    isOpen[number] = value;
    for (let at = number; at >= 0; at = parent[at]) touched.add(at);
  }
  for (const number of [...touched].sort((a, b) => b - a)) measure(number);
  positions();
  const after = before && boxOf(anchor);
  if (after) {
    view.x += (before[0] - after[0]) * view.scale;
    view.y += (before[1] - after[1]) * view.scale;
  }
  facts();
  drawMap();
  redraw();
}

const boxOf = (thing) => (thing < 0 ? frames[-1 - thing] : boxes[thing]);

function reveal(at) {
  const changes = [];
  for (let number = home[at]; number > 0; number = parent[number]) changes.push([number, true]);
  setOpen(changes);
}

function choose(thing, keep) {
  chosen = thing;
  sources = new Set();
  if (thing !== null && thing >= 0) for (const edge of into[thing]) sources.add(place.get(edge.source));
  panel();
  if (!keep) redraw();
  document.documentElement.dataset.chosen = thing === null ? "" : thing >= 0 ? nodes[thing].id : `group ${-1 - thing}`;
}
