// Which part of the drawing is on the screen, and how large.

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
