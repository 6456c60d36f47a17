// The lines of tensors: where they leave and reach boxes, and by which points they go.

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
