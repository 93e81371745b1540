// Moves the threshold over the two histograms and counts anew; opens what is folded for the printer.

for (const figure of document.querySelectorAll(".threshold")) {
  const { start, genuine, impostor } = figure.dataset;
  const [few, many] = [genuine, impostor].map(cumulated);
  const input = figure.querySelector("input");
  const steps = few.length - 2; // the last count is of similarities at the end of the axis and above
  figure.querySelector(".slide").hidden = false;
  input.addEventListener("input", () => {
    const k = Math.round(Number(input.value) * 1000) - Number(start);
    const x = (1000 * k) / steps;
    figure.querySelector(".cut").setAttribute("x1", x);
    figure.querySelector(".cut").setAttribute("x2", x);
    figure.querySelector(".below").setAttribute("width", x);
    figure.querySelector(".above").setAttribute("x", x);
    figure.querySelector(".at b").textContent = `≥ ${((Number(start) + k) / 1000).toFixed(3)}`;
    figure.querySelector(".at small").textContent = "where you put it";
    show(".fmr", many.at(-1) - many[k], many.at(-1));
    show(".fnmr", few[k], few.at(-1));
  });

  function show(place, count, of) {
    const [value, counts] = figure.querySelectorAll(`${place} b, ${place} small`);
    value.textContent = `${((100 * count) / of).toFixed(2)} %`;
    counts.textContent = `${count.toLocaleString("en")} of ${of.toLocaleString("en")} pairs`;
  }
}

// How many similarities are below each step of 0.001, and last how many there are.
function cumulated(counts) {
  let sum = 0;
  return [0, ...counts.split(",").map((count) => (sum += Number(count)))];
}

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
});
