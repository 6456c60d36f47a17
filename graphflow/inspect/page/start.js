// The line of facts, and the first drawing.

function facts() {
  const total = (what) => groups[0].total[what];
  const parts = [`${number(nodes.length)} ${{ layer: "layers", op: "operations", plan: "steps" }[graph.level]}`, `${short(parameters())} parameters`];
  if (total("flops") !== null) parts.push(`${short(total("flops"))} FLOPs`);
  if (total("seconds") !== null) parts.push(measured("seconds", total("seconds")));
  if (seen !== nodes.length) parts.push(`${number(seen)} boxes shown`);
  $("facts").textContent = parts.join("  \u00b7  ");
}

function parameters() {
  // Of the whole, each weight once however often its layer is called.
  const met = new Map();
  for (const node of nodes) for (const one of node.weights) met.set(one.number, one.shape.reduce((left, right) => left * right, 1));
  return [...met.values()].reduce((left, right) => left + right, 0);
}

$("name").textContent = show(graph.name);
for (const option of $("colour").options) option.disabled = option.value !== "kind" && groups[0].total[option.value] === null;
readInk();
positions();
facts();
drawMap();
begin();
draw();
// For tests and scripts: where things are on the screen, and what is seen.
window.graphflow = {
  box: (id) => {
    const at_ = place.get(id), box = at_ === undefined ? null : boxes[at_], { left, top } = canvas.getBoundingClientRect();
    return box && [left + view.x + box[0] * view.scale, top + view.y + box[1] * view.scale, box[2] * view.scale, box[3] * view.scale];
  },
  group: (number_) => {
    const box = frames[number_], { left, top } = canvas.getBoundingClientRect();
    return box && [left + view.x + box[0] * view.scale, top + view.y + box[1] * view.scale, box[2] * view.scale, box[3] * view.scale];
  },
  groups: () => groups.map((group, number_) => ({ title: group.title, kind: group.kind, open: isOpen[number_], seen: frames[number_] !== null })),
  places: () => boxes.map((box) => box && [...box]),
  seen: () => seen,
  scale: () => view.scale,
};
document.documentElement.dataset.ready = String(Math.round(performance.now()));
