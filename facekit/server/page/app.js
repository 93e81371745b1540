// Starts the page, and changes between its tabs.

import { Compare } from "./compare.js";
import { Model } from "./model.js";
import { People } from "./people.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
const contents = { people: new People(panelOf(tabs[1])), model: new Model(panelOf(tabs[2])) };
new Compare(panelOf(tabs[0]));

function select(tab) {
  for (const one of tabs) {
    const isSelected = one === tab;
    one.setAttribute("aria-selected", String(isSelected));
    one.tabIndex = isSelected ? 0 : -1;
    panelOf(one).hidden = !isSelected;
  }
  contents[panelOf(tab).id]?.open();
}

const named = () => tabs.find((tab) => `#${panelOf(tab).id}` === location.hash);
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => {
    history.replaceState(null, "", `#${panelOf(tab).id}`);
    select(tab);
  });
  tab.addEventListener("keydown", (event) => {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    const next = index + STEPS[event.key];
    const place = Number.isFinite(next) ? (next + tabs.length) % tabs.length : next < 0 ? 0 : tabs.length - 1;
    tabs[place].click();
    tabs[place].focus();
  });
});
window.addEventListener("hashchange", () => named() && select(named()));
select(named() ?? tabs[0]);
