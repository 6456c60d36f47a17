// Colours: of the theme, of kinds, and of figures from low to high.

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
