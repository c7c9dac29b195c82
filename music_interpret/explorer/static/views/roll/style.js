// The style of rolls and cards, as a constructed sheet: no content-security policy forbids it, and it works in a page,
// a report and a notebook alike.

const TEXT = `
.mi-roll { position: relative; display: block; outline: none; border-radius: 6px; user-select: none;
  -webkit-user-select: none; line-height: 1.3; }
.mi-roll:focus-visible { outline: 2px solid var(--mi-accent, #c2185b); outline-offset: 2px; }
.mi-roll-scroller { position: relative; overflow-x: auto; overflow-y: hidden; border-radius: 6px;
  border: 1px solid var(--mi-line, color-mix(in srgb, currentColor 18%, transparent)); box-sizing: border-box; }
.mi-roll-fit .mi-roll-scroller { overflow-x: hidden; }
.mi-roll-spacer { height: 100%; }
.mi-roll-window { position: sticky; left: 0; top: 0; width: 0; height: 0; }
.mi-roll canvas { position: absolute; left: 0; top: 0; display: block; }
.mi-roll canvas + canvas { pointer-events: none; }
.mi-roll-tip { position: absolute; z-index: 5; pointer-events: none; padding: 3px 8px; border-radius: 6px;
  font-size: 12px; white-space: nowrap; max-width: 100%; overflow: hidden; text-overflow: ellipsis;
  font-variant-numeric: tabular-nums; box-shadow: 0 2px 8px rgb(0 0 0 / 25%); }
.mi-roll-lanes { display: flex; flex-wrap: wrap; gap: 2px 12px; margin: 4px 0 0; padding: 0; list-style: none;
  font-size: 12px; color: var(--mi-muted, color-mix(in srgb, currentColor 65%, transparent)); }
.mi-roll-lanes li { display: flex; align-items: center; gap: 5px; cursor: default; margin: 0; }
.mi-roll-lanes i { width: 4px; height: 12px; border-radius: 1px; }
.mi-unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.mi-legend { display: inline-flex; align-items: center; gap: 6px; font-size: 12px;
  color: var(--mi-muted, color-mix(in srgb, currentColor 65%, transparent)); font-variant-numeric: tabular-nums; }
.mi-legend-off { width: 18px; height: 8px; border-radius: 3px; border: 1px solid currentColor; opacity: 0.7; }
.mi-legend-low { margin-left: 8px; }
.mi-legend-scale { width: 96px; height: 10px; border-radius: 3px; }
.mi-card { display: block; min-width: 0; margin: 0; }
.mi-card-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; margin: 0 0 6px; font-size: 13px; }
.mi-card-song { font-weight: 600; overflow-wrap: anywhere; color: inherit; }
a.mi-card-song { text-decoration-color: color-mix(in srgb, currentColor 40%, transparent); text-underline-offset: 2px; }
.mi-card-place { flex: 1 0 100%; }
.mi-card-place, .mi-card-more { color: var(--mi-muted, color-mix(in srgb, currentColor 65%, transparent)); }
.mi-card-split { font-size: 11px; padding: 0 6px; border-radius: 999px; line-height: 1.5;
  border: 1px solid var(--mi-line, color-mix(in srgb, currentColor 25%, transparent));
  color: var(--mi-muted, color-mix(in srgb, currentColor 65%, transparent)); }
.mi-card-value { margin-left: auto; display: inline-flex; align-items: center; gap: 6px; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.mi-card-value i { width: 10px; height: 10px; border-radius: 3px; }
.mi-card-foot { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; margin-top: 8px; font-size: 12px; }
.mi-card button { font: inherit; font-size: 12px; display: inline-flex; align-items: center; gap: 6px; cursor: pointer;
  min-height: 28px; padding: 3px 11px 3px 9px; margin: 0; border-radius: 999px; color: inherit; background: transparent;
  border: 1px solid var(--mi-line, color-mix(in srgb, currentColor 30%, transparent)); }
.mi-card button:hover { border-color: currentColor; }
.mi-card button:focus-visible { outline: 2px solid var(--mi-accent, #c2185b); outline-offset: 2px; }
.mi-card button[aria-pressed="true"] { border-color: var(--mi-accent, #c2185b); color: var(--mi-accent, inherit); }
.mi-card button svg { width: 11px; height: 11px; fill: currentColor; flex: none; }
.mi-card-status { color: var(--mi-muted, color-mix(in srgb, currentColor 65%, transparent)); }
.mi-widget { font-family: system-ui, sans-serif; font-size: 13px; line-height: 1.5; padding: 4px 2px; }
.mi-widget-title { font-size: 16px; font-weight: 650; overflow-wrap: anywhere; }
.mi-widget h3 { font: inherit; font-weight: 600; margin: 12px 8px 6px 0; }
.mi-widget .with-help { display: flex; flex-wrap: wrap; align-items: baseline; }
.mi-widget .muted { font-size: 12px; color: var(--mi-muted, color-mix(in srgb, currentColor 65%, transparent)); }
.mi-widget .cards { display: grid; gap: 20px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); }
.mi-widget .card { min-width: 0; }
.mi-widget .mi-legend { margin: 8px 0; }
.mi-widget-audio { width: 100%; margin-top: 8px; height: 36px; }
@media (pointer: coarse) { .mi-card button { min-height: 40px; padding: 6px 16px 6px 14px; } }
@media print { .mi-card button, .mi-card-status { display: none; } .mi-card { break-inside: avoid; } }
`;

/** @type {CSSStyleSheet | null} */
let sheet = null;

/** Give the style to the document or shadow tree that a node is in; once is enough. @param {Node} node */
export function adoptStyle(node) {
  const root = node.getRootNode();
  const target = root instanceof ShadowRoot ? root : document;
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(TEXT);
  }
  if (!target.adoptedStyleSheets.includes(sheet)) target.adoptedStyleSheets = [...target.adoptedStyleSheets, sheet];
}
