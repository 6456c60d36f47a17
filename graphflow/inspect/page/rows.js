// Heights and bands of a group's rows, which follow from what is open; graphflow/inspect/layout/rows.py computes the
// same for drawings that stay as they are.

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
  if (total <= C.BAND_SPARE * most) return [];
  const allowed = [];
  for (let row = 1; row < height.length; row++) if (crossed[row] <= 1 && height[row]) allowed.push(row);
  const found = [];
  let now = 0, start = 0;
  allowed.forEach((row, index) => {
    now += piece(start, row);
    start = row;
    if (now > C.BAND_LEAST * C.BAND_BEGUN && now + piece(row, allowed[index + 1] ?? height.length) > most) { found.push(row); now = 0; }
  });
  return found;
}
