// Charts of the last minutes, second by second: requests, times and errors.
import { html } from "../ui.js";
import { Chart } from "../chart.js";

/** Milliseconds for people. */
export const formatMilliseconds = (value) => (value === null || value === undefined ? "–" : value < 10 ? value.toFixed(1) : Math.round(value));

/** Seconds for which times stand without a further request. */
const HOLD_SECONDS = 10;

/** Columns for the charts. */
function columnsOf(seconds) {
  const count = (second, digit) => Object.entries(second.statuses).filter(([status]) => status[0] === digit).reduce((sum, [, number]) => sum + number, 0);
  const rate = (second, number) => (second.span_ms ? (number * 1000) / second.span_ms : number);
  // A second without a request has no times; the line holds the last ones for a while.
  const times = (share) => {
    let held = null;
    let age = 0;
    return seconds.map((second) => {
      age += 1;
      if (second.upstream + second.gateway) [held, age] = [second.other_ms[share], 0];
      return age > HOLD_SECONDS ? null : held;
    });
  };
  const column = (value) => seconds.map(value);
  const at = column((second) => second.at / 1000);
  return {
    requests: [at, column((second) => rate(second, second.mock)), column((second) => rate(second, second.upstream + second.gateway))],
    times: [at, times("p50"), times("p95"), times("p99")],
    errors: [at, column((second) => rate(second, count(second, "4"))), column((second) => rate(second, count(second, "5")))],
  };
}

const last = (data, index) => data[index].at(-1) ?? 0;
const lastTime = (data, index) => data[index].at(-1);

const number = (value) => Math.round(value * 10) / 10;

/** Requests per second, mocked ones below; `more` stands in its head. */
export function RequestChart({ seconds, more }) {
  const { requests } = columnsOf(seconds);
  return html`<section class="card"><header><h2>Requests per second</h2>${more}</header><div class="legend">
      <span><i class="sw mock"></i>Mocked <b>${number(last(requests, 1))}</b></span><span><i class="sw live"></i>Live <b>${number(last(requests, 2))}</b></span></div>
      <div class="pad"><${Chart} isStacked data=${requests} label=${`Requests per second; now ${number(last(requests, 1))} mocked and ${number(last(requests, 2))} live`}
        series=${[{ label: "Mocked", colour: "mock", fill: "hatch", dash: [5, 3] }, { label: "Live", colour: "live", fill: "solid" }]} /></div></section>`;
}

export function Charts({ seconds }) {
  const { times, errors } = columnsOf(seconds);
  return html`<div class="charts">
    <${RequestChart} seconds=${seconds} />
    <section class="card"><header><h2>Time to answer, ms</h2></header><div class="legend">
      <span><i class="sw line"></i>median <b>${formatMilliseconds(lastTime(times, 1))}</b></span><span><i class="sw line p95"></i>95 % <b>${formatMilliseconds(lastTime(times, 2))}</b></span><span><i class="sw line p99"></i>99 % <b>${formatMilliseconds(lastTime(times, 3))}</b></span></div>
      <div class="pad"><${Chart} data=${times} label=${`Milliseconds to answer without mocks; now median ${formatMilliseconds(lastTime(times, 1))}, 95th percentile ${formatMilliseconds(lastTime(times, 2))}`}
        series=${[{ label: "median", colour: "ink", width: 1.75 }, { label: "95 %", colour: "ink-2", dash: [6, 4] }, { label: "99 %", colour: "err", dash: [2, 3] }]} /></div></section>
    <section class="card"><header><h2>Errors per second</h2></header><div class="legend">
      <span><i class="sw warn"></i>4xx <b>${number(last(errors, 1))}</b></span><span><i class="sw err"></i>5xx <b>${number(last(errors, 2))}</b></span></div>
      <div class="pad"><${Chart} data=${errors} label=${`Errors per second; now ${number(last(errors, 1))} of clients and ${number(last(errors, 2))} of servers`}
        series=${[{ label: "4xx", colour: "warn", dash: [6, 3] }, { label: "5xx", colour: "err", fill: "solid", width: 2 }]} /></div></section></div>`;
}

/** How often each status was answered, the most frequent first. */
export function countStatuses(seconds) {
  const counts = new Map();
  for (const { statuses } of seconds) {
    for (const [status, count] of Object.entries(statuses)) counts.set(status, (counts.get(status) || 0) + count);
  }
  return [...counts].sort(([, one], [, other]) => other - one);
}
