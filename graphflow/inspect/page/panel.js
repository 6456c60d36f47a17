// The panel with the details of what is chosen.

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(rows) {
  const made = element("table");
  for (const [name, value] of rows) {
    const row = made.insertRow();
    row.insertCell().textContent = show(name);
    const cell = row.insertCell();
    cell.textContent = show(value);
    cell.className = "mono";
  }
  return made;
}

function panel() {
  const box = $("panel");
  box.hidden = chosen === null;
  box.replaceChildren();
  if (chosen === null) return;
  const close = element("button", "\u00d7", "close");
  close.title = "Close ( Esc )";
  close.addEventListener("click", () => choose(null));
  box.append(close, ...(chosen >= 0 ? aboutNode(nodes[chosen], chosen) : aboutGroup(groups[-1 - chosen], -1 - chosen)));
  box.scrollTop = 0;
}

function aboutNode(node, at) {
  const parts = [element("h2", show(node.name)), kindLine(node.kind, node.category)];
  const facts = [["parameters", number(node.parameters)], ["FLOPs", number(node.flops)], ["multiply-adds", number(node.macs)], ["output memory", bytes(node.output_bytes)]];
  if (node.weight_bytes) facts.push(["weight memory", bytes(node.weight_bytes)]);
  if (node.seconds !== null) facts.push(["time", measured("seconds", node.seconds)]);
  if (node.origin.length > 1) facts.push(["in", node.origin.slice(0, -1).join(" / ")]);
  const calls = graph.nodes.filter((one) => one.layer === node.layer && one.kind === node.kind).length;
  if (calls > 1 && graph.level === "layer") facts.push(["shared by", `${calls} calls`]);
  for (const [name, value] of Object.entries(node.details)) facts.push([name, plain(value)]);
  parts.push(table(facts));
  section(parts, node.inputs.length > 1 ? "Inputs" : "Input", node.inputs.map((one, index) => [String(index), shape(one)]));
  links(parts, into[at].map((edge) => place.get(edge.source)));
  section(parts, node.outputs.length > 1 ? "Outputs" : "Output", node.outputs.map((one, index) => [String(index), shape(one)]));
  links(parts, from[at].map((edge) => place.get(edge.target)));
  section(parts, "Configuration", Object.entries(node.config).map(([name, value]) => [name, plain(value)]));
  if (node.weights.length) {
    parts.push(element("h3", "Weights"));
    for (const one of node.weights) parts.push(weight(one));
  }
  return parts;
}

function aboutGroup(group, at) {
  const parts = [element("h2", show(group.title) || "Repeated blocks"), kindLine({ run: "repeated blocks", block: "repeated block", model: "nested model", layer: "layer" }[group.kind] || group.kind, "model")];
  const toggle = element("button", isOpen[at] ? "Collapse" : "Expand");
  toggle.id = "toggle";
  toggle.addEventListener("click", () => { setOpen([[at, !isOpen[at]]], -1 - at); panel(); });
  const facts = [["nodes", number(group.end - group.start)], ["parameters", number(group.total.parameters)], ["FLOPs", number(group.total.flops)], ["output memory", bytes(group.total.output_bytes)]];
  if (group.kind === "run") facts.unshift(["repeated", `${group.members.length.toLocaleString("en")} times`]);
  if (group.total.seconds !== null) facts.push(["time", measured("seconds", group.total.seconds)]);
  parts.push(table(facts), toggle);
  const counts = new Map();
  for (let one = group.start; one < group.end; one++) counts.set(nodes[one].kind, (counts.get(nodes[one].kind) || 0) + 1);
  section(parts, "Made of", [...counts].sort((a, b) => b[1] - a[1]).map(([kind, count]) => [kind, number(count)]));
  return parts;
}

function kindLine(kind, category) {
  const line = element("div", undefined, "kind"), dot = element("i");
  dot.style.background = page.colors[category];
  line.append(dot, element("span", show(kind)));
  return line;
}

function section(parts, name, rows) {
  if (rows.length) parts.push(element("h3", name), table(rows));
}

function links(parts, found) {
  const box = element("div", undefined, "links");
  for (const at of [...new Set(found)].slice(0, 40)) {
    const button = element("button", show(nodes[at].name));
    button.addEventListener("click", () => { reveal(at); choose(at); centre(at, 0.7); });
    box.append(button);
  }
  if (box.childElementCount) parts.push(box);
}

function weight(one) {
  const box = element("div", undefined, "weight"), held = page.histograms[one.number];
  box.append(element("b", show(one.name)), element("small", `${shape(one)}${one.trainable ? "" : ", not trained"}`));
  if (!held) return box;
  const bars = element("canvas"), ratio = window.devicePixelRatio || 1;
  bars.width = 312 * ratio; bars.height = 54 * ratio;
  bars.dataset.bins = held.counts.length;
  const c = bars.getContext("2d"), top = Math.max(...held.counts, 1), step = bars.width / Math.max(held.counts.length, 1);
  c.fillStyle = ink.accent;
  held.counts.forEach((count, index) => { const tall = count ? Math.max((count / top) * bars.height, ratio) : 0; c.fillRect(index * step, bars.height - tall, Math.max(step - ratio, 1), tall); });
  const axis = element("div", undefined, "axis"), digits = (value) => (value === null || value === undefined ? "" : value.toPrecision(3));
  axis.append(element("span", digits(held.low)), element("span", held.mean === null || held.mean === undefined ? "" : `${digits(held.mean)} \u00b1 ${digits(held.deviation)}`), element("span", digits(held.high)));
  box.append(bars, axis);
  if (held.nonfinite) box.append(element("small", `${number(held.nonfinite)} numbers are not finite`));
  if (held.step > 1) box.append(element("small", `every ${held.step}th number counted`));
  return box;
}
