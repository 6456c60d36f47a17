// Sizes from the inside out, positions from the outside in.

const sizeOf = (member, grown) => (member < 0 ? grown[-1 - member] : sizes[member]);

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
