// The small map of the whole, and the frame around what is on the screen.

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
