// Lines of a diff as the Admin API gives them, with both numbers and the words that change.
import { html } from "./ui.js";

/** The part of two lines that differs: `[start, end of the first, end of the second]`. */
function changedPart(one, other) {
  const shorter = Math.min(one.length, other.length);
  let start = 0;
  while (start < shorter && one[start] === other[start]) start += 1;
  let tail = 0;
  while (tail < shorter - start && one.at(-1 - tail) === other.at(-1 - tail)) tail += 1;
  return [start, one.length - tail, other.length - tail];
}

/** Lines with the span that changed, where a run of removed lines has as many added ones behind it. */
function withChangedWords(lines) {
  const marked = lines.map((line) => ({ ...line }));
  for (let index = 0; index < marked.length; ) {
    let removed = index;
    while (marked[removed]?.kind === "removed") removed += 1;
    let added = removed;
    while (marked[added]?.kind === "added") added += 1;
    const count = removed - index;
    if (count > 0 && added - removed === count) {
      for (let offset = 0; offset < count; offset += 1) {
        const [one, other] = [marked[index + offset], marked[removed + offset]];
        const [start, end, otherEnd] = changedPart(one.text, other.text);
        // Lines that share no more than their indentation differ as a whole.
        if (one.text.slice(0, start).trim()) {
          one.span = [start, end];
          other.span = [start, otherEnd];
        }
      }
    }
    index = Math.max(added, index + 1);
  }
  return marked;
}

const SIGNS = { added: ["+", "add"], removed: ["−", "del"] };

function Line({ line }) {
  const [sign, kind] = SIGNS[line.kind] || [" ", ""];
  const [start, end] = line.span || [0, 0];
  const text = end > start
    ? html`${line.text.slice(0, start)}<mark>${line.text.slice(start, end)}</mark>${line.text.slice(end)}`
    : line.text;
  return html`<div class=${`l ${kind}`}><span>${line.old_line}</span><span>${line.new_line}</span>
    <b role=${kind ? "img" : undefined} aria-label=${kind ? line.kind : undefined}>${sign}</b><code>${text}</code></div>`;
}

/** Whether lines of the file are left out before this one. */
function hasGap(previous, line) {
  const follows = (key) => previous[key] == null || line[key] == null || line[key] === previous[key] + 1;
  return !follows("old_line") || !follows("new_line");
}

/** A diff; `label` names the region for screen readers. */
export function Diff({ lines, isTruncated, label = "Change" }) {
  if (!lines.length) return html`<p class="muted">No line of the file changes.</p>`;
  let last = { old_line: null, new_line: null };
  let file;
  return html`<div class="diff" tabindex="0" role="region" aria-label=${label}>${withChangedWords(lines).map((line, index) => {
    const gap = index > 0 && hasGap(last, line);
    const heading = line.file && line.file !== file ? line.file : null;
    file = line.file;
    last = heading ? { old_line: line.old_line, new_line: line.new_line } : { old_line: line.old_line ?? last.old_line, new_line: line.new_line ?? last.new_line };
    return html`${heading ? html`<div class="gap">${heading}</div>` : gap && html`<div class="gap">…</div>`}<${Line} key=${index} line=${line} />`;
  })}${isTruncated && html`<div class="gap">Further lines are left out.</div>`}</div>`;
}
