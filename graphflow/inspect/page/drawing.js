// Drawing on the canvas: frames, lines, then boxes.

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
  c.font = `600 ${C.SIZES[0]}px ${ink.font}`;
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
      c.font = `${index === 0 ? "600 " : ""}${C.SIZES[Math.min(index, 2)]}px ${ink.font}`;
      c.fillStyle = [ink.ink, ink.soft, ink.faint][Math.min(index, 2)];
      c.textBaseline = "alphabetic";
      c.fillText(fitText(c, text, width - 17), x + C.STRIPE + C.BOX_PADDING, y + C.BOX_PADDING + C.SIZES[0] - 2 + index * C.LINE_HEIGHT);
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
