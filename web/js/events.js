// Events of the gateway: one stream for the whole page, with the topics that its parts follow.
import { useEffect, useRef, useState } from "./ui.js";

/** Handlers by topic. */
const handlers = new Map();
const connectionListeners = new Set();
const RETRY_MS = 5000;

let source = null;
let openTopics = "";
let isOpen = false;

function setOpen(now) {
  if (isOpen === now) return;
  isOpen = now;
  connectionListeners.forEach((listener) => listener(now));
}

/** The topics that are wanted now. A page out of sight follows nothing, so that it keeps no connection. */
function wantedTopics() {
  if (document.hidden) return "";
  return [...handlers].filter(([, set]) => set.size).map(([topic]) => topic).sort().join(",");
}

function connect() {
  const topics = wantedTopics();
  if (topics === openTopics) return;
  source?.close();
  source = null;
  openTopics = topics;
  if (!topics) return setOpen(false);
  const stream = new EventSource(`-/api/mynah/events?topics=${topics}`);
  source = stream;
  for (const topic of topics.split(",")) {
    stream.addEventListener(topic, (event) => {
      const value = JSON.parse(event.data);
      handlers.get(topic)?.forEach((handler) => handler(value));
    });
  }
  stream.onopen = () => stream === source && setOpen(true);
  stream.onerror = () => {
    if (stream !== source) return;
    setOpen(false);
    // The browser connects again by itself, except after an answer that is no stream.
    if (stream.readyState !== EventSource.CLOSED) return;
    source = null;
    openTopics = "";
    setTimeout(connect, RETRY_MS);
  };
}

// Parts that come and go together, as on a change of the page, open one stream.
let timer;
const connectSoon = () => {
  clearTimeout(timer);
  timer = setTimeout(connect, 20);
};

document.addEventListener("visibilitychange", connectSoon);

/** Calls `handler` with each event of a topic (`config`, `traffic`, `exchanges`) while `isOn`. */
export function useEvents(topic, handler, isOn = true) {
  const current = useRef();
  current.current = handler;
  useEffect(() => {
    if (!isOn) return undefined;
    const call = (value) => current.current(value);
    if (!handlers.has(topic)) handlers.set(topic, new Set());
    handlers.get(topic).add(call);
    connectSoon();
    return () => {
      handlers.get(topic).delete(call);
      connectSoon();
    };
  }, [topic, isOn]);
}

/** Whether the stream is open. While it is not, a page asks by itself from time to time. */
export function useIsStreamOpen() {
  const [value, setValue] = useState(isOpen);
  useEffect(() => {
    setValue(isOpen);
    connectionListeners.add(setValue);
    return () => connectionListeners.delete(setValue);
  }, []);
  return value;
}

/** Calls `action` at once, every `seconds` while the page is in sight and `isOn`, and again when `inputs` change. */
export function useTimer(action, seconds, isOn, inputs = []) {
  const current = useRef();
  current.current = action;
  useEffect(() => {
    if (!isOn) return undefined;
    current.current();
    const interval = setInterval(() => document.hidden || current.current(), seconds * 1000);
    return () => clearInterval(interval);
  }, [isOn, seconds, ...inputs]);
}
