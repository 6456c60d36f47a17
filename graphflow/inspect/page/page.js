"use strict";
// The page of one graph. Names come from files: they are drawn on the canvas or set as text, and never become markup.
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const { graph, groups, sizes, lines, constants: C, down } = page;
  const nodes = graph.nodes;
  const place = new Map(nodes.map((node, index) => [node.id, index]));
  const $ = (id) => document.getElementById(id);
  const canvas = $("canvas"), context = canvas.getContext("2d"), map = $("map");
  const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
  const show = (text) => String(text).replace(HIDDEN, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
  const turn = (size) => (down ? size : [size[1], size[0]]);

  // ---- groups: what is in what

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
  const isOpen = groups.map((group) => group.open);
  isOpen[0] = true;

  // ---- layout: the rows are given; heights, bands and places follow from what is open

  const sizeOf = (member, grown) => (member < 0 ? grown[-1 - member] : sizes[member]);

  function stretched(group, now, first) {
    // Coordinates across, for members of other sizes than at first: what stood straight still does.
    if (now.every((size, index) => size[0] === first[index][0])) return group.x;
    const half = (item, all) => (item < all.length ? all[item][0] : C.BEND_WIDTH) / 2;
    const stops = [...new Set(group.x)].sort((a, b) => a - b), index = new Map(stops.map((x, at) => [x, at]));
    const wanted = new Float64Array(stops.length), given = new Float64Array(stops.length);
    for (const items of group.rows) {
      for (let at = 1; at < items.length; at++) {
        const [left, right] = [items[at - 1], items[at]];
        const gap = left >= group.firstBend || right >= group.firstBend ? C.BEND_GAP : C.NODE_GAP;
        const apart = group.x[right] - group.x[left];
        if (apart <= 0) continue;
        const slope = (half(left, now) + half(right, now) + gap) / apart;
        const before = (half(left, first) + half(right, first) + gap) / apart;
        for (let stop = index.get(group.x[left]); stop < index.get(group.x[right]); stop++) {
          if (slope > wanted[stop]) wanted[stop] = slope;
          if (before > given[stop]) given[stop] = before;
        }
      }
    }
    const placed = [stops[0]];
    for (let stop = 1; stop < stops.length; stop++) {
      const factor = given[stop - 1] > 0 ? wanted[stop - 1] / given[stop - 1] : 1;
      placed.push(placed[stop - 1] + (stops[stop] - stops[stop - 1]) * factor);
    }
    return group.x.map((x) => placed[index.get(x)]);
  }

  function linksOf(net, group, each) {
    for (let at = 1; at < net.way.length; at++) each(net.way[at - 1], net.way[at]);
    for (const target of net.targets) each(net.way[net.step(target)], target);
  }

  function fill(group, members, x) {
    const count = group.rows.length, height = new Float64Array(count), slant = new Float64Array(count + 1);
    const border = group.number !== 0, half = (item) => (item < members.length ? members[item][0] / 2 : 0);
    members.forEach((size, item) => { height[group.row[item]] = Math.max(height[group.row[item]], size[1]); });
    for (const net of group.nets) {
      linksOf(net, group, (source, target) => {
        const row = group.row[target];
        if (row - group.row[source] === 1) slant[row] = Math.max(slant[row], Math.abs(x[source] - x[target]));
      });
    }
    const lean = (row) => Math.min(C.SLANT * slant[row], C.MOST_SLANT);
    const gap = Array.from({ length: count }, (_, row) => C.ROW_GAP + lean(row));
    group.rows.forEach((items, row) => {
      if (items.length && lowestOf(items) >= members.length) {
        const at = row === 0 ? 1 : row;
        if (at < count) gap[at] = Math.min(gap[at], C.PORT_GAP + lean(at));
      }
    });
    const low = [], high = [];
    for (const items of group.rows) {
      let least = Infinity, most = -Infinity;
      for (const item of items) { least = Math.min(least, x[item] - half(item)); most = Math.max(most, x[item] + half(item)); }
      low.push(items.length ? least : 0); high.push(items.length ? most : 0);
    }
    const head = C.HEADER + C.PADDING / 2;
    const first = border ? (down ? head : C.PADDING) : 0, side = border ? [C.PADDING, down ? C.PADDING : head] : [0, 0];
    const starts = [0, ...bands(height, gap, group.crossed, low, high), count];
    const made = { top: new Float64Array(count), height, band: new Int32Array(count), shift: new Float64Array(count), right: [] };
    let across = side[1], deepest = first;
    for (let band = 0; band + 1 < starts.length; band++) {
      const [start, end] = [starts[band], starts[band + 1]];
      const least = lowestOf(low.slice(start, end)), most = highestOf(high.slice(start, end));
      let now = first;
      for (let row = start; row < end; row++) {
        now += row > start ? gap[row] : 0;
        made.top[row] = now; made.band[row] = band; made.shift[row] = across - least;
        now += height[row];
      }
      across += most - least;
      made.right.push(across);
      across += C.BAND_GAP;
      deepest = Math.max(deepest, now);
    }
    made.size = [across - C.BAND_GAP + side[0], deepest + (border ? C.PADDING : 0)];
    made.x = x;
    return made;
  }

  const lowestOf = (numbers) => { let least = numbers.length ? Infinity : 0; for (const one of numbers) least = Math.min(least, one); return least; };
  const highestOf = (numbers) => { let most = numbers.length ? -Infinity : 0; for (const one of numbers) most = Math.max(most, one); return most; };

  function bands(height, gap, crossed, low, high) {
    // The drawing as a whole wanders to the side: the mean width of the bands is taken once they are known.
    const found = breaks(height, gap, crossed, highestOf(high) - lowestOf(low));
    if (!found.length) return found;
    const starts = [0, ...found, height.length];
    let width = 0;
    for (let band = 0; band + 1 < starts.length; band++)
      width += highestOf(high.slice(starts[band], starts[band + 1])) - lowestOf(low.slice(starts[band], starts[band + 1]));
    return breaks(height, gap, crossed, width / (starts.length - 1));
  }

  function breaks(height, gap, crossed, width) {
    const piece = (from, to) => { let sum = 0; for (let row = from; row < to; row++) sum += height[row] + gap[row]; return sum; };
    const total = piece(0, height.length) - (gap.length ? gap[0] : 0);
    const most = Math.max(C.BAND_LEAST, Math.sqrt(total * (width + C.BAND_GAP) * C.BAND_SHAPE));
    if (total <= 1.3 * most) return [];
    const allowed = [];
    for (let row = 1; row < height.length; row++) if (crossed[row] <= 1 && height[row]) allowed.push(row);
    const found = [];
    let now = 0, start = 0;
    allowed.forEach((row, index) => {
      now += piece(start, row);
      start = row;
      if (now > C.BAND_LEAST / 4 && now + piece(row, allowed[index + 1] ?? height.length) > most) { found.push(row); now = 0; }
    });
    return found;
  }

  const filled = new Array(groups.length), grown = new Array(groups.length), firstSizes = new Array(groups.length);
  for (let number = groups.length - 1; number >= 0; number--) measure(number);

  function measure(number) {
    const group = groups[number];
    const members = group.members.map((member) => turn(sizeOf(member, grown)));
    firstSizes[number] ||= members;
    filled[number] = fill(group, members, stretched(group, members, firstSizes[number]));
    grown[number] = isOpen[number] ? turn(filled[number].size) : group.closed;
  }

  const boxes = new Array(nodes.length).fill(null), frames = new Array(groups.length).fill(null);
  let wires = [], extent = [0, 0], seen = 0;

  function positions() {
    boxes.fill(null); frames.fill(null);
    wires = [];
    seen = 0;
    frames[0] = [C.MARGIN, C.MARGIN, ...grown[0]];
    extent = [grown[0][0] + 2 * C.MARGIN, grown[0][1] + 2 * C.MARGIN];
    const waiting = [0];
    while (waiting.length) {
      const number = waiting.pop(), group = groups[number], made = filled[number], [left, top] = frames[number];
      group.members.forEach((member, item) => {
        const size = sizeOf(member, grown), [across, along] = turn(size), row = group.row[item];
        const [x, y] = turn([made.x[item] + made.shift[row] - across / 2, made.top[row] + (made.height[row] - along) / 2]);
        const box = [left + x, top + y, size[0], size[1]];
        if (member < 0) {
          frames[-1 - member] = box;
          if (isOpen[-1 - member]) waiting.push(-1 - member);
          else seen += 1;
        } else { boxes[member] = box; seen += 1; }
      });
    }
    groups.forEach((group, number) => { if (frames[number] && isOpen[number]) wire(group, number); });
  }

  function port(group, number, item, key, arrives) {
    const made = filled[number], row = group.row[item], x = made.x[item] + made.shift[row];
    if (item >= group.firstBend) return [x, made.top[row] + made.height[row]];
    if (item >= group.members.length) return [x, item < group.members.length + group.entries.length ? 0 : made.size[1]];
    const member = group.members[item], [across, along] = turn(sizeOf(member, grown));
    const y = made.top[row] + (made.height[row] + (arrives ? -along : along)) / 2;
    if (member < 0 && isOpen[-1 - member]) {
      const inner = groups[-1 - member], within = filled[-1 - member], at = inner.port[arrives ? 0 : 1].get(key);
      return [x + within.x[at] + within.shift[inner.row[at]] - across / 2, y];
    }
    return [x, y];
  }

  function wire(group, number) {
    const made = filled[number], [left, top] = frames[number];
    const at = (across, along) => { const [x, y] = turn([across, along]); return [left + x, top + y]; };
    for (const net of group.nets) {
      const links = new Map();
      const link = (source, target) => {
        const first = group.row[source], last = group.row[target];
        const [x0, y0] = port(group, number, source, net.key, false), [x1, y1] = port(group, number, target, net.key, true);
        const bottom = made.top[first] + made.height[first], head = made.top[last], middle = (bottom + head) / 2;
        const curve = made.band[first] === made.band[last], points = [at(x0, y0)];
        if (curve) points.push(at(x0, bottom), at(x0, middle), at(x1, middle), at(x1, head));
        else {
          const gutter = made.right[made.band[first]] + C.BAND_GAP / 2, low = bottom + C.PORT_GAP, high = head - C.PORT_GAP;
          points.push(at(x0, low), at(gutter, low), at(gutter, high), at(x1, high));
        }
        points.push(at(x1, y1));
        const member = target < group.members.length ? group.members[target] : null;
        const arrow = member !== null && (member >= 0 || !isOpen[-1 - member]);
        const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
        const made_ = { points, curve, arrow, node: net.node, ends: [], box: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] };
        wires.push(made_);
        return made_;
      };
      const way = [];
      for (let step = 1; step < net.way.length; step++) way.push(link(net.way[step - 1], net.way[step]));
      for (const target of net.targets) {
        const step = net.step(target), last = link(net.way[step], target);
        const reach = target < group.members.length ? bounds(group.members[target]) : null;
        const outside = reach ? null : [group.start, group.end];
        for (const one of [...way.slice(0, step), last]) one.ends.push([reach, outside]);
      }
    }
  }

  const bounds = (member) => (member < 0 ? [groups[-1 - member].start, groups[-1 - member].end] : [member, member + 1]);
  const leadsTo = (one, at) => one.ends.some(([reach, outside]) => (reach ? reach[0] <= at && at < reach[1] : at < outside[0] || at >= outside[1]));

  // ---- the view

  const view = { x: 0, y: 0, scale: 1 };
  let chosen = null, hovered = null, matches = null, colour = "kind", ink = {}, queued = false;

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

  function fit() {
    const { width, height } = canvas.getBoundingClientRect();
    const tall = height - $("legend").offsetHeight - 12, wide = width - ($("panel").hidden ? 0 : $("panel").offsetWidth);
    view.scale = Math.max(Math.min(wide / extent[0], tall / extent[1], 1.25), 0.01);
    view.x = (wide - extent[0] * view.scale) / 2;
    view.y = Math.max((tall - extent[1] * view.scale) / 2, 0);
    redraw();
  }

  function begin() {
    // Everything, if it can be read at that size; else the top of the graph.
    fit();
    if (view.scale < 0.45) {
      const { width } = canvas.getBoundingClientRect();
      view.scale = 0.8;
      const first = boxOf(groups[0].members[0]) || frames[0];
      view.x = Math.min(width / 2 - (first[0] + first[2] / 2) * view.scale, 20);
      if (extent[0] * view.scale < width) view.x = (width - extent[0] * view.scale) / 2;
      view.y = 0;
    }
    redraw();
  }

  function centre(thing, scale) {
    const box = boxOf(thing), { width, height } = canvas.getBoundingClientRect();
    if (!box) return;
    const open = $("panel").hidden ? 0 : Math.min($("panel").offsetWidth, width / 2);
    view.scale = Math.max(view.scale, scale);
    view.x = (width - open) / 2 - (box[0] + box[2] / 2) * view.scale;
    view.y = height / 2 - (box[1] + box[3] / 2) * view.scale;
    redraw();
  }

  function zoom(factor, x, y) {
    const scale = Math.min(Math.max(view.scale * factor, 0.01), 4);
    view.x = x - (x - view.x) * (scale / view.scale);
    view.y = y - (y - view.y) * (scale / view.scale);
    view.scale = scale;
    redraw();
  }

  // ---- colours

  function readInk() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "dots", "card", "ink", "soft", "faint", "edge", "line", "box", "bar", "accent", "glow"])
      ink[name] = style.getPropertyValue(`--${name}`).trim();
    ink.dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    ink.font = getComputedStyle(document.body).fontFamily;
  }

  const RAMP = [[68, 90, 200], [38, 150, 170], [80, 175, 90], [235, 180, 40], [215, 60, 45]];
  function ramp(part) {
    const at = Math.min(Math.max(part, 0), 1) * (RAMP.length - 1), low = Math.min(Math.floor(at), RAMP.length - 2), rest = at - low;
    return `rgb(${RAMP[low].map((one, index) => Math.round(one + (RAMP[low + 1][index] - one) * rest)).join()})`;
  }

  let most = 1;
  function scaleColours() {
    most = 0;
    if (colour !== "kind") {
      for (let at = 0; at < nodes.length; at++) if (boxes[at]) most = Math.max(most, nodes[at][colour] || 0);
      groups.forEach((group, number) => { if (frames[number] && !isOpen[number]) most = Math.max(most, group.total[colour] || 0); });
    }
  }

  const colourOf = (value, category) => {
    if (colour === "kind") return page.colors[category];
    return value === null || !most ? null : ramp(Math.sqrt(value / most));
  };

  function legend() {
    const box = $("legend");
    box.replaceChildren();
    if (colour === "kind") {
      for (const name of [...new Set(nodes.map((node) => node.category))].sort()) {
        const item = element("span", show(name)), dot = element("i");
        dot.style.background = page.colors[name];
        item.prepend(dot);
        box.append(item);
      }
      return;
    }
    const bar = element("canvas");
    bar.width = 120; bar.height = 1;
    const paint = bar.getContext("2d");
    for (let x = 0; x < 120; x++) { paint.fillStyle = ramp(x / 119); paint.fillRect(x, 0, 1, 1); }
    box.append(element("span", "0"), bar, element("span", measured(colour, most)));
  }

  // ---- drawing

  function redraw() {
    if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; draw(); }); }
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, { width, height } = canvas.getBoundingClientRect();
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    }
    const c = context, { x, y, scale } = view;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = ink.paper;
    c.fillRect(0, 0, width, height);
    dots(c, width, height);
    c.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    const rough = scale < 0.2;
    const edge = [-x / scale, -y / scale, (width - x) / scale, (height - y) / scale];
    const outside = (left, top, right, bottom) => right < edge[0] || left > edge[2] || bottom < edge[1] || top > edge[3];
    groups.forEach((group, number) => {
      const box = frames[number];
      if (!box || number === 0 || !isOpen[number] || outside(box[0], box[1], box[0] + box[2], box[1] + box[3])) return;
      c.fillStyle = ink.box;
      c.strokeStyle = chosen === -1 - number ? ink.accent : ink.line;
      c.lineWidth = (chosen === -1 - number ? 2 : 1) / Math.min(scale, 1);
      if (rough) { c.fillRect(...box); if (chosen === -1 - number) c.strokeRect(...box); return; }
      if (group.kind === "run" || group.kind === "block") c.setLineDash([5, 4]);
      c.beginPath(); c.roundRect(...box, 10); c.fill(); c.stroke();
      c.setLineDash([]);
    });
    drawWires(c, outside, scale);
    if (scale > 0.2) {
      groups.forEach((group, number) => {
        const box = frames[number];
        if (!box || number === 0 || !isOpen[number] || outside(box[0], box[1], box[0] + box[2], box[1] + C.HEADER)) return;
        title(c, group, box);
      });
    }
    groups.forEach((group, number) => {
      const box = frames[number];
      if (!box || isOpen[number] || outside(box[0], box[1], box[0] + box[2] + 8, box[1] + box[3] + 8)) return;
      if (!rough) for (const shift of group.kind === "run" ? [6, 3] : [3]) card(c, [box[0] + shift, box[1] + shift, box[2], box[3]], null, [], false, false, rough);
      card(c, box, colourOf(group.total[colour], "model"), group.lines, chosen === -1 - number, faded(group.start, group.end), rough);
    });
    for (let at = 0; at < nodes.length; at++) {
      const box = boxes[at];
      if (!box || outside(box[0], box[1], box[0] + box[2], box[1] + box[3])) continue;
      card(c, box, colourOf(nodes[at][colour], nodes[at].category), lines[at], chosen === at, faded(at, at + 1), rough);
    }
    drawView();
    document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn || 0) + 1);
  }

  const faded = (start, end) => {
    if (!matches) return false;
    for (const at of matches) if (start <= at && at < end) return false;
    return true;
  };

  function dots(c, width, height) {
    const step = 26 * view.scale;
    if (step < 14) return;
    c.fillStyle = ink.dots;
    for (let x = ((view.x % step) + step) % step; x < width; x += step)
      for (let y = ((view.y % step) + step) % step; y < height; y += step) c.fillRect(x, y, 1.5, 1.5);
  }

  function title(c, group, box) {
    const text = `\u2212  ${show(group.title) || `${group.members.length.toLocaleString("en")} \u00d7`}`;
    c.font = `600 12px ${ink.font}`;
    c.textBaseline = "alphabetic";
    c.lineWidth = 5; c.strokeStyle = ink.box; c.fillStyle = ink.ink;
    const fitted = fitText(c, text, box[2] - 20);
    c.strokeText(fitted, box[0] + 12, box[1] + C.HEADER - 8);
    c.fillText(fitted, box[0] + 12, box[1] + C.HEADER - 8);
  }

  function fitText(c, text, width) {
    if (c.measureText(text).width <= width) return text;
    let low = 0, high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (c.measureText(`${text.slice(0, middle)}\u2026`).width <= width) low = middle; else high = middle - 1;
    }
    return low ? `${text.slice(0, low)}\u2026` : "";
  }

  function card(c, box, fill, texts, marked, pale, rough) {
    const [x, y, width, height] = box;
    c.globalAlpha = pale ? 0.22 : 1;
    if (rough) {
      c.fillStyle = fill || ink.line;
      c.fillRect(x, y, width, height);
      if (marked) { c.strokeStyle = ink.accent; c.lineWidth = 3 / view.scale; c.strokeRect(x, y, width, height); }
      c.globalAlpha = 1;
      return;
    }
    if (marked) {
      c.fillStyle = ink.glow;
      c.beginPath(); c.roundRect(x - 5, y - 5, width + 10, height + 10, 10); c.fill();
    }
    c.fillStyle = ink.card; c.strokeStyle = marked ? ink.accent : ink.line; c.lineWidth = marked ? 2 : 1;
    c.beginPath(); c.roundRect(x, y, width, height, 6); c.fill(); c.stroke();
    if (fill) {
      if (colour !== "kind") { c.globalAlpha *= 0.3; c.fillStyle = fill; c.fill(); c.globalAlpha = pale ? 0.22 : 1; }
      c.fillStyle = fill;
      c.beginPath(); c.roundRect(x, y, 6, height, [6, 0, 0, 6]); c.fill();
    }
    if (view.scale > 0.32) {
      texts.forEach((text, index) => {
        c.font = index === 0 ? `600 12px ${ink.font}` : `${index === 1 ? 11 : 10.5}px ${ink.font}`;
        c.fillStyle = [ink.ink, ink.soft, ink.faint][Math.min(index, 2)];
        c.textBaseline = "alphabetic";
        c.fillText(fitText(c, text, width - 17), x + 13, y + 18 + index * 15);
      });
    } else if (texts.length) {
      c.font = `600 ${Math.min(20, height * 0.42)}px ${ink.font}`;
      c.fillStyle = ink.ink; c.textBaseline = "middle";
      c.fillText(fitText(c, texts[0], width - 15), x + 11, y + height / 2);
    }
    c.globalAlpha = 1;
  }

  function drawWires(c, outside, scale) {
    const picked = [], plain = new Path2D(), arrows = [];
    for (const one of wires) {
      if (outside(...one.box)) continue;
      if (touches(one)) picked.push(one);
      else { trace(plain, one, scale); if (one.arrow && scale > 0.25) arrows.push(one); }
    }
    c.strokeStyle = ink.edge; c.lineWidth = Math.max(1.3, 0.8 / scale);
    c.globalAlpha = (chosen !== null && picked.length) || matches ? 0.4 : 1;
    c.stroke(plain);
    c.fillStyle = ink.edge;
    for (const one of arrows) arrow(c, one.points.at(-1));
    c.globalAlpha = 1;
    c.strokeStyle = c.fillStyle = ink.accent; c.lineWidth = Math.max(2.2, 1.4 / scale);
    for (const one of picked) {
      const path = new Path2D();
      trace(path, one, scale);
      c.stroke(path);
      if (one.arrow) arrow(c, one.points.at(-1));
    }
  }

  let sources = new Set();
  function touches(one) {
    if (chosen === null) return false;
    if (chosen < 0) return false;
    return one.node === chosen || (sources.has(one.node) && leadsTo(one, chosen));
  }

  function trace(path, one, scale) {
    const p = one.points;
    path.moveTo(...p[0]);
    if (one.curve) {
      path.lineTo(...p[1]);
      if (scale < 0.15) path.lineTo(...p[4]); else path.bezierCurveTo(...p[2], ...p[3], ...p[4]);
    } else for (let at = 1; at < p.length - 1; at++) path.arcTo(...p[at], ...p[at + 1], 8);
    path.lineTo(...p.at(-1));
  }

  function arrow(c, [x, y]) {
    c.beginPath();
    c.moveTo(x, y);
    if (down) { c.lineTo(x - 3.5, y - 7); c.lineTo(x + 3.5, y - 7); }
    else { c.lineTo(x - 7, y - 3.5); c.lineTo(x - 7, y + 3.5); }
    c.closePath(); c.fill();
  }

  // ---- the small map

  let background = null;
  const mapScale = () => Math.min(180 / extent[0], 130 / extent[1]);
  function drawMap() {
    const ratio = window.devicePixelRatio || 1, scale = mapScale() * ratio;
    map.width = 180 * ratio; map.height = 130 * ratio;
    background = document.createElement("canvas");
    background.width = map.width; background.height = map.height;
    const c = background.getContext("2d");
    c.translate((map.width - extent[0] * scale) / 2, (map.height - extent[1] * scale) / 2);
    const paint = (box, fill) => { c.fillStyle = fill; c.fillRect(box[0] * scale, box[1] * scale, Math.max(box[2] * scale, 0.8), Math.max(box[3] * scale, 0.8)); };
    scaleColours();
    groups.forEach((group, number) => {
      if (!frames[number] || number === 0) return;
      paint(frames[number], isOpen[number] ? ink.box : colourOf(group.total[colour], "model") || ink.line);
    });
    for (let at = 0; at < nodes.length; at++) if (boxes[at]) paint(boxes[at], colourOf(nodes[at][colour], nodes[at].category) || ink.line);
    legend();
  }

  function drawView() {
    if (!background) return;
    const c = map.getContext("2d"), ratio = window.devicePixelRatio || 1, scale = mapScale() * ratio;
    const { width, height } = canvas.getBoundingClientRect();
    map.hidden = view.x >= -1 && view.y >= -1 && view.x + extent[0] * view.scale <= width + 1 && view.y + extent[1] * view.scale <= height + 1;
    $("legend").style.left = map.hidden ? "12px" : "";
    c.clearRect(0, 0, map.width, map.height);
    c.drawImage(background, 0, 0);
    c.strokeStyle = ink.accent; c.lineWidth = 1.5 * ratio; c.fillStyle = ink.glow;
    const left = (map.width - extent[0] * scale) / 2, top = (map.height - extent[1] * scale) / 2;
    c.beginPath();
    c.rect(left - (view.x / view.scale) * scale, top - (view.y / view.scale) * scale, (width / view.scale) * scale, (height / view.scale) * scale);
    c.fill(); c.stroke();
  }

  map.addEventListener("pointerdown", (event) => {
    const go = (one) => {
      const box = map.getBoundingClientRect(), scale = mapScale(), { width, height } = canvas.getBoundingClientRect();
      const x = (one.clientX - box.left - (box.width - extent[0] * scale) / 2) / scale, y = (one.clientY - box.top - (box.height - extent[1] * scale) / 2) / scale;
      view.x = width / 2 - x * view.scale; view.y = height / 2 - y * view.scale;
      redraw();
    };
    go(event);
    map.setPointerCapture(event.pointerId);
    map.onpointermove = go;
    map.onpointerup = map.onpointercancel = () => { map.onpointermove = null; };
  });

  // ---- the panel

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  const number = (value) => (value === null || value === undefined ? "not known" : value.toLocaleString("en"));
  function measured(what, value) {
    if (value === null || value === undefined) return "not known";
    if (what === "seconds") return value >= 1 ? `${value.toPrecision(3)} s` : value >= 1e-3 ? `${(value * 1e3).toPrecision(3)} ms` : `${(value * 1e6).toPrecision(3)} \u00b5s`;
    if (what.endsWith("bytes")) return bytes(value);
    return short(value);
  }
  function short(value) {
    for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
    return String(value);
  }
  function bytes(value) {
    for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
    return `${value} B`;
  }
  const shape = (tensor) => `(${tensor.shape.map((size) => (size === null ? "?" : size)).join(", ")}${tensor.shape.length === 1 ? "," : ""})  ${show(tensor.dtype)}`;

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

  function plain(value) {
    // A value of a configuration: objects that describe a class as calls of it.
    if (value === null) return "none";
    if (Array.isArray(value)) return `[${value.map(plain).join(", ")}]`;
    if (typeof value !== "object") return String(value);
    const held = typeof value.class_name === "string" && typeof value.config === "object" && value.config !== null;
    const parts = Object.entries(held ? value.config : value).filter(([, one]) => one !== null).map(([name, one]) => `${name}=${plain(one)}`);
    return held ? `${value.class_name}(${parts.join(", ")})` : `{${parts.join(", ")}}`;
  }

  function choose(thing, keep) {
    chosen = thing;
    sources = new Set();
    if (thing !== null && thing >= 0) for (const edge of into[thing]) sources.add(place.get(edge.source));
    panel();
    if (!keep) redraw();
    document.documentElement.dataset.chosen = thing === null ? "" : thing >= 0 ? nodes[thing].id : `group ${-1 - thing}`;
  }

  const into = nodes.map(() => []), from = nodes.map(() => []);
  for (const edge of graph.edges) { into[place.get(edge.target)].push(edge); from[place.get(edge.source)].push(edge); }

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

  // ---- search

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

  // ---- mouse, touch and keys

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
})();
