"""The report page's style sheet: light and dark, from 320 px of width up."""

CSS = """
:root { color-scheme: light dark; --ink: #1c2127; --soft: #5b6570; --line: #d9dee4;
  --ground: #f6f7f9; --card: #ffffff; --warn: #9a5b00; --bad: #b3263a; --good: #1f7a50; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #343b44; --ground: #14181d; --card: #1d2229;
    --warn: #e5b15c; --bad: #f07f8d; --good: #6cc79b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 40px 0 12px; }
h3 { font-size: 1rem; margin: 24px 0 8px; overflow-wrap: anywhere; }
p, li { max-width: 75ch; overflow-wrap: anywhere; }
.soft, small { color: var(--soft); }
small { font-size: .8rem; }
.warn { color: var(--warn); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.scroll:focus-visible { outline: 2px solid var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 8px 12px;
  border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 500; color: var(--soft); min-width: 7.5rem; }
td { min-width: 9rem; }
td small { display: block; }
.wide { overflow-wrap: anywhere; }
.figures { display: grid; gap: 16px; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
figure { margin: 0; padding: 12px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .85rem; margin-top: 8px; }
.pairs { display: grid; gap: 12px; padding: 0; margin: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr)); }
.pairs li { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px; min-width: 0; }
.crops { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }
.crops img { width: 100%; height: auto; border-radius: 4px; display: block; }
.score { font-weight: 600; font-variant-numeric: tabular-nums; margin: 8px 0 2px; }
.score small { font-weight: 400; }
.match .score { color: var(--bad); }
.miss .score { color: var(--warn); }
.names { font-size: .8rem; color: var(--soft); margin: 0; }
details { margin-top: 12px; }
@media (max-width: 480px) {
  th, td { padding: 6px 8px; } td { min-width: 7.5rem; } body { font-size: 15px; }
  .pairs { grid-template-columns: 1fr 1fr; } }
"""
