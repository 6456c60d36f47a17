// Numbers, shapes and settings as text.

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

function plain(value) {
  // A value of a configuration: objects that describe a class as calls of it.
  if (value === null) return "none";
  if (Array.isArray(value)) return `[${value.map(plain).join(", ")}]`;
  if (typeof value !== "object") return String(value);
  const held = typeof value.class_name === "string" && typeof value.config === "object" && value.config !== null;
  const parts = Object.entries(held ? value.config : value).filter(([, one]) => one !== null).map(([name, one]) => `${name}=${plain(one)}`);
  return held ? `${value.class_name}(${parts.join(", ")})` : `{${parts.join(", ")}}`;
}
