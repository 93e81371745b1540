// Numbers as people read them.

const PLAIN = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const count = (number, one, many = `${one}s`) =>
  `${WHOLE.format(number)} ${number === 1 ? one : many}`;

export const score = (similarity) => similarity.toFixed(3).replace("-", "\u2212");

export const percent = (rate) => `${PLAIN.format(rate * 100)} %`;

// 0.2 -> "20 %", 0.001 -> "0.1 % (1 in 1,000)", 1e-6 -> "1 in 1,000,000"
export function rate(value) {
  if (value >= 0.05 || value <= 0) return percent(value);
  const one = `1 in ${WHOLE.format(Number((1 / value).toPrecision(2)))}`;
  return value < 9e-5 ? one : `${percent(value)} (${one})`;
}

export const day = (text) => new Date(text).toLocaleDateString("en-US", { dateStyle: "medium" });

export function size(bytes) {
  return bytes < 1e6 ? `${PLAIN.format(bytes / 1e3)} KB` : `${PLAIN.format(bytes / 1e6)} MB`;
}
