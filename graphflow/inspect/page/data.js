// What the page was given: the graph's nodes, its groups, and what is in what. Names come from files: they are drawn
// on the canvas or set as text, and never become markup.

const page = JSON.parse(document.getElementById("data").textContent);
const { graph, groups, sizes, lines, constants: C, down } = page;
const nodes = graph.nodes;
const place = new Map(nodes.map((node, index) => [node.id, index]));
const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), context = canvas.getContext("2d"), map = $("map");
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const show = (text) => String(text).replace(HIDDEN, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
const turn = (size) => (down ? size : [size[1], size[0]]);

const parent = new Int32Array(groups.length).fill(-1), home = new Int32Array(nodes.length);
groups.forEach((group, number) => {
  for (const member of group.members) {
    if (member < 0) parent[-1 - member] = number;
    else home[member] = number;
  }
  group.number = number;
  group.port = [new Map(), new Map()];
  group.entries.forEach((key, index) => group.port[0].set(key.join(), group.members.length + index));
  group.exits.forEach((key, index) => group.port[1].set(key.join(), group.members.length + group.entries.length + index));
  const bends = group.row.length;
  group.rows = [];
  for (let item = 0; item < bends; item++) (group.rows[group.row[item]] ||= []).push(item);
  for (let row = 0; row < group.rows.length; row++) (group.rows[row] ||= []).sort((a, b) => group.x[a] - group.x[b]);
  group.firstBend = group.members.length + group.entries.length + group.exits.length;
  group.nets = group.nets.map(([node, output, source, targets, bent, far]) => {
    const way = [source, ...bent], first = group.row[source];
    const step = (target) => (far ? 0 : group.row[target] - first - 1);
    return { node, output, key: `${node},${output}`, source, targets, way, step };
  });
  group.total = {};
  for (const what of ["seconds", "flops", "output_bytes", "parameters"]) {
    let sum = null;
    for (let at = group.start; at < group.end; at++) if (nodes[at][what] !== null) sum = (sum || 0) + nodes[at][what];
    group.total[what] = sum;
  }
});

const into = nodes.map(() => []), from = nodes.map(() => []);
for (const edge of graph.edges) { into[place.get(edge.target)].push(edge); from[place.get(edge.source)].push(edge); }
